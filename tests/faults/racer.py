"""A process that buys many jobs from eight threads at once, in an order of its own. Started by test_two_processes.py.

Arguments as one JSON object: home, url, key, database_url, prompts, seed, variables. Prints what became of each prompt.
"""

from __future__ import annotations

import json
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sora_jobs.engine import Engine
from sora_jobs.errors import SoraError
from sora_jobs.jobs.spec import VideoRequest


def main() -> None:
    given = json.loads(sys.argv[1])
    env = {"COMETAPI_BASE_URL": given["url"], "COMETAPI_KEY": given["key"], **given["variables"]}
    home = Path(given["home"])
    engine = Engine(home, home / "output", env=env)

    def buy(prompt: str) -> tuple[str, str]:
        spec = VideoRequest(provider="cometapi", prompt=prompt, model="sora-2", seconds="4", size="1280x720")
        try:
            return prompt, engine.start_create(spec).result(60).job.video_id
        except SoraError as error:
            return prompt, f"{type(error).__name__}: {error}"

    prompts = list(given["prompts"])
    random.Random(given["seed"]).shuffle(prompts)
    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(8) as pool:
        print(json.dumps(dict(pool.map(buy, prompts))), flush=True)
    engine.close()


if __name__ == "__main__":
    main()
