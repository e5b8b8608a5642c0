"""A process with one engine, which does what it is told over a socket. Started by engine_process.py.

Arguments as one JSON object: port, home, output, key. It is told one JSON object a line, `do` and what that takes, and
responds with one each. It ends when the socket does.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import logging
import os
import socket
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from sora_jobs import Engine, Job, VideoRequest, errors

sys.path.insert(0, str(Path(__file__).parents[1]))

from timings import FAST

TIMEOUT_S = 0.6  # of a request
TIMING = dataclasses.replace(
    FAST,
    create_backoff_max_s=0.02,
    create_close_s=0.2,
    unknown_job_polls=1,
    poll_backoff_max_s=0.1,
    poll_tick_s=0.01,
    content_attempts=2,
    content_retry_max_s=0.02,
    background_retry_s=0.2,
    rescan_s=0.2,
    queue_poll_s=0.02,
    queue_poll_max_s=0.05,
    download_lock_s=0.05,  # the lease alone has to keep two engines from downloading the same
)
SHOWN = ("id", "state", "video_id", "prompt", "take", "error_code", "aside")


class Child:
    def __init__(self, home: str, output: str, key: str) -> None:
        env = {"ADVERSARY_KEY": key}
        self.engine = Engine(home, output, env=env, timing=TIMING)
        self.futures: list[Future[Any]] = []
        self.waits: dict[int, Any] = {}
        self.told: set[int] = set()

    # -- futures --------------------------------------------------------------------------------------------------

    def create(self, prompt: str, take: int, seconds: str) -> int:
        request = VideoRequest(
            provider="adversary", model="sora-2", seconds=seconds, size="1280x720", prompt=prompt, take=take
        )
        return self._kept(self.engine.start_create(request))

    def wait(self, job: str) -> int:
        wait = self.engine.start_wait(job, timeout=60)
        self.waits[len(self.futures)] = wait
        return self._kept(wait.future)

    def in_line(self) -> list[str]:
        return [job for job, place in self.engine.queue.places().items() if place]

    def send(self, job: str) -> int:
        return self._kept(self.engine.queue.start_send(job))

    def cancel_queued(self, job: str) -> dict[str, Any]:
        return _shown(self.engine.queue.cancel(job))

    def cancel(self, number: int) -> None:
        if number in self.waits:
            self.waits[number].cancel()
        else:
            self.futures[number].cancel()

    def ended(self, wanted: list[int], timeout_s: float) -> list[dict[str, Any]]:
        """What ended since the last time; it waits for those that are `wanted`."""
        concurrent.futures.wait([self.futures[number] for number in wanted], timeout_s)
        found = [number for number, future in enumerate(self.futures) if future.done() and number not in self.told]
        self.told |= set(found)
        return [self._ended(number) for number in found]

    # -- at once --------------------------------------------------------------------------------------------------

    def jobs(self) -> list[dict[str, Any]]:
        return [_shown(job) for job in self.engine.jobs(archived=True)]

    def uncertain(self) -> list[dict[str, Any]]:
        return [_shown(job) for job in self.engine.uncertain_jobs()]

    def reconcile(self, job: str, video_id: str = "", lost: bool = False) -> dict[str, Any]:
        return _shown(self.engine.reconcile(job, video_id=video_id, lost=lost))

    def ask_again(self, job: str) -> dict[str, Any]:
        return _shown(self.engine.ask_again(job))

    def open(self, video_id: str) -> dict[str, Any]:
        return _shown(self.engine.open(video_id, "adversary"))

    def background(self) -> int:
        return self.engine.background.begin()

    def set_visibility(self, job: str, aside: str) -> dict[str, Any]:
        return _shown(self.engine.background.set_visibility(job, aside))

    def close(self) -> dict[str, Any]:
        """Close the engine: what had not ended before, what has not even then, and which threads are left once the
        requests that were under way have ended."""
        self.engine.close()
        ended = self.ended([], 0)
        open_ = [number for number in range(len(self.futures)) if number not in self.told]
        end = time.monotonic() + TIMEOUT_S + 2
        while (threads := _threads()) and time.monotonic() < end:
            time.sleep(0.005)
        return {"ended": ended, "open": open_, "threads": threads}

    def _kept(self, future: Future[Any]) -> int:
        self.futures.append(future)
        return len(self.futures) - 1

    def _ended(self, number: int) -> dict[str, Any]:
        future = self.futures[number]
        told: dict[str, Any] = {"number": number, "cancelled": future.cancelled(), "error": None, "job": None}
        if future.cancelled():
            return told
        if (error := future.exception()) is not None:
            return told | {"error": _told(error)}
        job = future.result() if number in self.waits else future.result().job
        path = str(self.engine.path(job)) if number in self.waits else ""
        return told | {"job": _shown(job) | {"path": path}}


def _shown(job: Job) -> dict[str, Any]:
    return {name: str(getattr(job, name)) for name in SHOWN} | {"take": job.take}


def _told(error: BaseException) -> dict[str, Any]:
    known = error.as_dict() if isinstance(error, errors.SoraError) else {"charge": "?", "text": repr(error)}
    return {"type": type(error).__name__} | {name: known.get(name, "") for name in ("charge", "text", "job", "code")}


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("sora-")]


def main() -> None:
    given = json.loads(sys.argv[1])
    logging.getLogger("sora").setLevel(logging.ERROR)  # what is printed then is a fault
    line = socket.create_connection(("127.0.0.1", given.pop("port"))).makefile("rw", encoding="utf-8")
    child = Child(**given)
    for text in line:
        told = json.loads(text)
        try:
            response = {"is": getattr(child, told.pop("do"))(**told)}
        except Exception as error:  # noqa: BLE001 - the test looks at it
            response = {"error": _told(error)}
        line.write(json.dumps(response) + "\n")
        line.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
