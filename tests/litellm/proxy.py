"""A real LiteLLM proxy on loopback, from an environment of its own (`make litellm` makes it)."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path

import requests

HERE = Path(__file__).parents[2]
PROGRAM = HERE / ".venv-litellm" / "bin" / "litellm"
# Read here, since each test starts without such variables.
ENABLED = os.environ.get("SORA_LITELLM") == "1" and PROGRAM.exists()
OPT_IN = "opt-in; to enable this, run `make litellm`, which installs a LiteLLM proxy into .venv-litellm"
START_S = 90.0


class Proxy:
    """A running proxy; a context manager. `upstreams` is model name -> base URL, with /v1.

    `retries` is how often it sends a call again by itself; None leaves that to LiteLLM.
    """

    def __init__(self, folder: Path, upstreams: dict[str, str], retries: int | None = None) -> None:
        self.key = f"sk-{secrets.token_hex(24)}"  # it does not start with a weak one
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        # Upstream it has the same name: by that one the proxy finds a job's deployment again.
        models = [
            {
                "model_name": name,
                "litellm_params": {"model": f"openai/{name}", "api_base": url, "api_key": "any"},
            }
            for name, url in upstreams.items()
        ]
        config = {"model_list": models, "general_settings": {"master_key": self.key}}
        if retries is not None:
            config["litellm_settings"] = {"num_retries": retries}
        folder.mkdir()
        (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        self._log = folder / "proxy.log"
        self._folder = folder

    def __enter__(self) -> Proxy:
        # It must ask nobody else: neither for its list of prices nor through a proxy of the machine's owner.
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "NO_PROXY": "*"}
        command = [str(PROGRAM), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._wait()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End our process, and no other."""
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if requests.get(f"{self.url}/health/liveliness", timeout=2).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.2)
        raise AssertionError(
            f"The proxy did not start:\n{self._log.read_text(errors='replace', encoding='utf-8')[-3000:]}"
        )
