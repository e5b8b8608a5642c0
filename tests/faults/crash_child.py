"""A process that buys one video and fetches it, and kills itself at a named point. Started by crash_world.py.

Arguments as one JSON object: home, output, url, database ("" for a file in home), point ("" for none), prompt,
reference (whether an image goes up with the job). Prints the job or the error as JSON, and exits as the command line
would.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sora_jobs.engine import Engine
from sora_jobs.errors import SoraError

sys.path.insert(0, str(Path(__file__).parent))  # which an embedded Python leaves out

from advance_points import arm
from crash_points import POINTS, die
from wish import TIMING, environment, spec


def main() -> int:
    given = json.loads(sys.argv[1])
    env = environment(given["url"], given["database"])
    engine = Engine(Path(given["home"]), Path(given["output"]), env=env, timing=TIMING)
    if given["point"] in POINTS:
        POINTS[given["point"]]()
    else:
        arm(given["point"], given["prompt"], die)
    try:
        job = engine.start_create(spec(given["prompt"], given["reference"])).result(30).job
        job = engine.start_wait(job.id, timeout=30).future.result(30)
    except SoraError as error:
        print(json.dumps({"error": type(error).__name__, "text": str(error), "job": error.job}))
        return error.exit_code
    finally:
        engine.close()
    print(json.dumps({"job": job.id, "state": job.state, "path": job.path, "sha256": job.sha256}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
