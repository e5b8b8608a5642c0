"""Many jobs at once, against openai-python's `create_and_poll` on the same local gateway: wall, CPU, memory, threads,
polls per job, and how many creates are sent when answers are lost. `make bench`, or this file alone.

The gateway is the sandbox in a process of its own. Its jobs end without a film ([sandbox: fail=x]), so that waiting is
measured and not rendering. Every run is a fresh process; the two take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "nodes"))

RUNS = 5
TAKES_S = 20  # a job
PACE_S = 10  # between two looks at one job, as the gateway's documentation asks
WATCHED_S = 60
FAULTS = ("lost_answer", "broken_answer", "429=1")
FORM = {"model": "sora-2", "seconds": "4", "size": "1280x720"}


def server(takes_s: int) -> None:
    """Serve, and print the calls that came whenever a line is read."""
    from sora_jobs.sandbox import Sandbox

    with tempfile.TemporaryDirectory() as folder, Sandbox(Path(folder), seconds=takes_s) as sandbox:
        print(sandbox.url, flush=True)
        for _ in sys.stdin:
            counts = {f"{method} {path}": n for (method, path), n in sandbox.routes.counts.items()}
            sandbox.routes.counts.clear()
            print(json.dumps(counts), flush=True)


def ours(url: str, prompts: list[str]) -> None:
    from sora_jobs.engine import Engine
    from sora_jobs.errors import SoraError
    from sora_jobs.jobs.spec import VideoRequest

    env = {"COMETAPI_BASE_URL": url, "COMETAPI_KEY": "any-key-123456", "SORA_POLL_SECONDS": str(PACE_S)}
    env |= {"SORA_BUDGET_USD_PER_DAY": "100000"}
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder), Path(folder) / "output", env=env)
        submissions = [
            engine.start_create(VideoRequest(provider="cometapi", prompt=prompt, **FORM)) for prompt in prompts
        ]
        waits = []
        for submission in submissions:
            with suppress(SoraError):
                waits.append(engine.start_wait(submission.result().job.id, timeout=600))
        for wait in waits:
            with suppress(SoraError):
                wait.future.result()
        engine.close()


def theirs(url: str, prompts: list[str]) -> None:
    import warnings

    from openai import AsyncOpenAI, OpenAIError

    warnings.simplefilter("ignore")

    async def all_of_them() -> None:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="any-key-123456") as client:

            async def one(prompt: str) -> None:
                with suppress(OpenAIError):
                    await client.videos.create_and_poll(prompt=prompt, poll_interval_ms=1000 * PACE_S, **FORM)

            await asyncio.gather(*(one(prompt) for prompt in prompts))

    asyncio.run(all_of_them())


def plain() -> None:
    """Serve nothing but states: every job runs, until a line is read; then every one has failed. Print how often each
    was polled, at the line and at the end."""
    polled: Counter[str] = Counter()
    status = ["in_progress"]

    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                name = head.split(b" ", 2)[1].decode().removeprefix("/v1/videos/")
                if "/" in name:  # its content, asked for the reason of a failure
                    body, code = b"{}", b"404 Not Found"
                else:
                    polled[name] += 1
                    body, code = json.dumps({"id": name, "object": "video", "status": status[0]}).encode(), b"200 OK"
                kind = b"Content-Type: application/json\r\n"
                writer.write(b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (code, kind, len(body), body))

    async def serve() -> None:
        server = await asyncio.start_server(reply, "127.0.0.1", 0)
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        for status[0] in ("in_progress", "in_progress", "failed"):
            if not await asyncio.to_thread(sys.stdin.readline):
                return
            counts = sorted(polled.values())
            polled.clear()
            print(
                json.dumps({"jobs": len(counts), "least": min(counts, default=0), "most": max(counts, default=0)}),
                flush=True,
            )

    asyncio.run(serve())


def waiting(count: int) -> None:
    """What it takes to wait for so many jobs, over WATCHED_S; how often each was polled; and whether any is lost, once
    all have ended."""
    from sora_jobs.engine import Engine

    command = [sys.executable, __file__, "--child", "plain"]
    served = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def ask() -> dict[str, int]:
        served.stdin.write("\n")
        served.stdin.flush()
        return dict(json.loads(served.stdout.readline()))

    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    env = {"COMETAPI_BASE_URL": served.stdout.readline().strip(), "COMETAPI_KEY": "any-key-123456"}
    env |= {"SORA_POLL_SECONDS": str(PACE_S), "SORA_BACKGROUND_DOWNLOADS": "0"}
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder), Path(folder) / "output", env=env)
        jobs = [engine.ledger.adopt("cometapi", env["COMETAPI_BASE_URL"], f"video_{n}") for n in range(count)]
        waits = [engine.start_wait(job, timeout=3600) for job in jobs]
        time.sleep(PACE_S + count / 200)  # until all are polled at their pace
        ask()
        cpu, begun = time.process_time(), time.perf_counter()
        time.sleep(WATCHED_S)
        share = (time.process_time() - cpu) / (time.perf_counter() - begun)
        polled = ask()
        threads, grown = threading.active_count(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - idle
        ended = sum(wait.future.exception(600) is not None for wait in waits)
        engine.close()
    served.stdin.close()
    served.wait(30)
    told = {"cpu_share": round(share, 3), "threads": threads, "grown_mib": round(grown, 1), "lost": count - ended}
    print(json.dumps(told | {f"polled_{name}": value for name, value in polled.items()}))


def child(who: str, url: str, count: int, fault: str) -> None:
    """One run: prints what it took of this process."""
    prompts = [f"number {n} of {time.time_ns()} [sandbox: fail=x{', ' + fault if fault else ''}]" for n in range(count)]
    import requests  # noqa: F401 - both need one such library; what they import is not the question

    most, ended = [1], threading.Event()

    def count_threads() -> None:
        while not ended.wait(0.1):
            most.append(threading.active_count() - 1)

    threading.Thread(target=count_threads, daemon=True).start()
    before = resource.getrusage(resource.RUSAGE_SELF)
    begun = time.perf_counter()
    (ours if who == "ours" else theirs)(url, prompts)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_SELF)
    ended.set()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    grown = (after.ru_maxrss - before.ru_maxrss) / 1024
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "grown_mib": grown, "threads": max(most)}))


class Gateway:
    """The server's process."""

    def __init__(self, takes_s: int = TAKES_S) -> None:
        self._takes_s = takes_s

    def __enter__(self) -> Gateway:
        command = [sys.executable, __file__, "--child", "server", str(self._takes_s)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait(30)

    def counts(self) -> dict[str, int]:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))


def run(gateway: Gateway, who: str, count: int, fault: str = "") -> dict[str, Any]:
    gateway.counts()
    command = [sys.executable, __file__, "--child", who, gateway.url, str(count), fault]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout)
    calls = gateway.counts()
    result["creates"] = calls["POST /v1/videos"] / count
    result["polls"] = calls.get("GET /v1/videos/{id}", 0) / count
    return dict(result)


def main() -> None:
    names = ("wall_s", "cpu_s", "grown_mib", "threads", "polls", "creates")
    with Gateway() as gateway:
        print(f"jobs of {TAKES_S} s, a look each {PACE_S} s, medians of {RUNS} (min-max)")
        for count in (100, 1000):
            results: dict[str, list[dict[str, Any]]] = {"ours": [], "openai": []}
            for _ in range(RUNS):
                for who, done in results.items():
                    done.append(run(gateway, who, count))
            for who, done in results.items():
                print(f"{count:5} jobs  {who:7}", "  ".join(f"{name} {spread(done, name)}" for name in names))
        print("creates that reach the gateway, per job, over 20 jobs")
        for fault in FAULTS:
            sent = {who: run(gateway, who, 20, fault)["creates"] for who in ("ours", "openai")}
            print(f"{fault:14} ours {sent['ours']:.1f}   openai {sent['openai']:.1f}", flush=True)

    print(f"jobs that wait, a look each {PACE_S} s, over {WATCHED_S} s")
    for count in (1000, 3000, 10_000):
        command = [sys.executable, __file__, "--child", "waiting", str(count)]
        print(
            f"{count:6}",
            subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip(),
            flush=True,
        )


def spread(done: list[dict[str, Any]], name: str) -> str:
    values = [one[name] for one in done]
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--child", nargs="+")
    given = parser.parse_args().child
    if given is None:
        main()
    elif given[0] == "server":
        server(int(given[1]))
    elif given[0] == "plain":
        plain()
    elif given[0] == "waiting":
        waiting(int(given[1]))
    else:
        child(given[0], given[1], int(given[2]), (given[3:] or [""])[0])
