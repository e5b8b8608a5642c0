"""Where the state lies and what the machine's owner set: variables over files over defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import InvalidInput

HTTP_TIMEOUT_S = 120.0
POLL_S = 10.0  # the pace that the gateway documents


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`home` keeps ledger, keys and references; `output` is the root of all video files, `folder` the place in it."""

    home: Path
    output: Path
    folder: str = "sora"
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @property
    def http_timeout_s(self) -> float:
        """The longest silence on a connection before it is given up."""
        return self._seconds("SORA_HTTP_TIMEOUT_SECONDS", HTTP_TIMEOUT_S)

    def poll_s(self, default: float = POLL_S) -> float:
        """Seconds between two looks at a job."""
        return self._seconds("SORA_POLL_SECONDS", default)

    def _seconds(self, name: str, default: float) -> float:
        text = self.env.get(name, "").strip()
        try:
            value = float(text) if text else default
        except ValueError:
            value = -1.0
        if not 0 < value < 86_400:  # also refuses nan
            raise InvalidInput(f"{name} is {text!r}.", advice="It wants a number of seconds above 0.")
        return value


def default_home(env: Mapping[str, str], comfyui: Path | None = None) -> Path:
    """The state folder: `SORA_HOME`, else the ComfyUI's `user/__sora`, else the platform's data folder.

    A folder `user/__name` is never served over HTTP by any supported ComfyUI (facts: comfyui.md).
    """
    if home := env.get("SORA_HOME", "").strip():
        return Path(home).expanduser().absolute()
    if comfyui is not None:
        return comfyui / "user" / "__sora"
    import platformdirs

    return Path(platformdirs.user_data_dir("sora", appauthor=False))


def surrounding_comfyui() -> Path | None:
    """The ComfyUI whose `custom_nodes` holds this pack, or None. A linked pack is looked for by both its paths."""
    here = Path(__file__)
    for pack in (here.absolute().parents[2], here.resolve().parents[2]):
        if pack.parent.name == "custom_nodes" and (pack.parents[1] / "comfy").is_dir():
            return pack.parents[1]
    return None
