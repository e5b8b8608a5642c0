"""A provider that responds as it is told to, however badly, and remembers what it was sent and what it made of it.

The test says how each of the next creates, polls and downloads is responded to; what nothing is said of gets the
honest response. A job that exists finishes or fails when it is told to.
"""

from __future__ import annotations

import re
import socket
import sys
import threading
import time
import traceback
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..gateway.ugly import answer, reset
from .bad_responses import CONTENTS, HOLD, LOSSES, LOST, POLLS, REJECTIONS, SILENCE

Identity = tuple[str, int]  # the prompt and the take: what is to be bought once

TICK_S = 0.005
LONGEST_HOLD_S = 60.0


@dataclass(eq=False)
class Create:
    """A create that arrived: who sent it, and what became of it."""

    number: int
    engine: str
    identity: Identity
    video_id: str = ""  # of the job that it made
    rejected: bool = False  # clearly, to a client that was there to read it
    given_up: bool = False  # a person declared it lost
    held: bool = False
    response: str = ""  # to one that is held

    @property
    def is_open(self) -> bool:
        """May there be a job of it, as far as a client can know?"""
        return not self.rejected and not self.given_up


@dataclass(eq=False)
class RemoteJob:
    id: str
    identity: Identity
    clip: bytes
    status: str = "queued"
    is_said_to_be_over: bool = False  # though it goes on

    @property
    def is_finished(self) -> bool:
        return self.status in ("completed", "failed")


def seconds_of(take: int) -> str:
    """The length that is asked for with a take: a create does not tell the take itself."""
    return str(4 * take)


class Adversary:
    """The provider. A context manager; `clip` is a whole MP4. `violations` are what no client may do."""

    def __init__(self, clip: bytes) -> None:
        self.creates: list[Create] = []
        self.jobs: dict[str, RemoteJob] = {}
        self.violations: list[str] = []
        self.next_creates: defaultdict[Identity, deque[str]] = defaultdict(deque)
        self.next_polls: deque[str] = deque()
        self.next_contents: deque[str] = deque()
        self.most_at_once = 0  # jobs that were sent, not finished and not given up
        self._clip, self._kind, self._ended = clip, False, set[str]()  # the last: engines that are gone
        self._downloads: list[tuple[str, str, socket.socket]] = []  # under way: job, engine, connection
        self._lock = threading.RLock()
        self._released, self._closing = threading.Event(), threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.adversary = self

    def __enter__(self) -> Adversary:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": TICK_S})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    # -- what the test asks and says ------------------------------------------------------------------------------

    def of(self, identity: Identity) -> list[Create]:
        """Return its creates, as they arrived."""
        return [create for create in self.creates if create.identity == identity]

    def is_holding(self, identity: Identity | None = None) -> bool:
        """Does an engine that lives wait for the response to a create, of that identity or of any?"""
        held = [create for create in self.creates if create.held and create.engine not in self._ended]
        return any(identity in (None, create.identity) for create in held)

    def plan(self, identity: Identity, responses: Iterable[str]) -> None:
        """Respond so to the next creates of that identity."""
        self.next_creates[identity] = deque(responses)

    def go_on(self, identity: Identity, status: str) -> None:
        """Bring the newest job of that identity on, unless it is finished."""
        made = [self.jobs[create.video_id] for create in self.of(identity) if create.video_id]
        if made and not made[-1].is_finished:
            made[-1].status = status

    def release(self, response: str) -> None:
        """Respond so to the creates that are held, and go on with the downloads that are."""
        with self._lock:
            for create in self.creates:
                create.response = create.response or response
            released, self._released = self._released, threading.Event()
        released.set()
        while any(create.held for create in self.creates):
            time.sleep(TICK_S / 5)

    def end(self, engine: str) -> None:
        """That engine is gone: what is left of its connections counts for nothing."""
        self._ended.add(engine)

    def be_kind(self) -> None:
        """From now on only honest responses; all jobs get finished, also those to come."""
        self._kind = True
        for planned in (self.next_polls, self.next_contents, *self.next_creates.values()):
            planned.clear()
        self.release("ok")
        for job in self.jobs.values():
            if not job.is_finished:
                job.status = "completed"

    # -- requests -------------------------------------------------------------------------------------------------

    def create(self, connection: socket.socket, engine: str, identity: Identity) -> bytes | None:
        """Return the response; None breaks the connection."""
        with self._lock:
            create = Create(len(self.creates), engine, identity)
            for earlier in self.of(identity):
                if earlier.is_open:
                    self.violations.append(f"sent again while {earlier} may exist: {create}")
            self.creates.append(create)
            planned = self.next_creates[identity]
            response = planned.popleft() if planned else "ok"
            create.held, released = response == HOLD, self._released
            self.most_at_once = max(self.most_at_once, sum(self._is_there(one) for one in self.creates))
        if create.held:
            released.wait(LONGEST_HOLD_S)
            response = create.response
        elif response == "slow":
            time.sleep(0.05)
        with self._lock:
            create.held, create.rejected = False, response in REJECTIONS and not _has_left(connection)
            if response in REJECTIONS:
                return REJECTIONS[response]
            if not response.endswith("not made"):
                create.video_id = self._make(identity).id
            if response not in LOST:
                return answer(200, self._shown(self.jobs[create.video_id]))
        loss = LOSSES[response.split(",")[0]]
        while loss == SILENCE and not _has_left(connection) and not self._closing.is_set():
            time.sleep(TICK_S)
        return loss

    def _is_there(self, create: Create) -> bool:
        """Has it a job that is not finished, or may it get one now?"""
        if create.given_up or create.rejected:
            return False
        if not create.video_id:
            return create is self.creates[-1] or create.held
        job = self.jobs[create.video_id]
        return not (job.is_finished or job.is_said_to_be_over)

    def poll(self, video_id: str) -> bytes | None:
        job = self.jobs.get(video_id)
        said = self.next_polls.popleft() if self.next_polls else ""
        if job is None:
            return POLLS["404"]
        job.is_said_to_be_over |= said in ("says failed", "says completed")
        if said == "says failed":
            return answer(200, self._shown(job) | {"status": "failed", "error": {"message": "no", "code": "x"}})
        if said == "says completed" and job.status != "failed":
            return answer(200, self._shown(job) | {"status": "completed"})
        return POLLS[said] if said in POLLS and not said.startswith("says") else answer(200, self._shown(job))

    def content(self, connection: socket.socket, engine: str, video_id: str, headers: Any) -> bytes | None:
        said = self.next_contents.popleft() if self.next_contents else ""
        job = self.jobs.get(video_id)
        if job is None or job.status != "completed":
            return CONTENTS["404"]
        if CONTENTS.get(said, b"") != b"":
            return CONTENTS[said]
        with self._downloading(video_id, engine, connection):
            kind = ("Content-Type", "application/octet-stream" if said == "other type" else "video/mp4")
            return self._sent(connection, job.clip, said, kind, headers)

    def listed(self) -> bytes:
        return answer(200, {"object": "list", "data": [self._shown(job) for job in [*self.jobs.values()][::-1]]})

    # -- inside ---------------------------------------------------------------------------------------------------

    def _make(self, identity: Identity) -> RemoteJob:
        name = f"video_{len(self.jobs):04}"
        # A box that players skip: the files of two jobs differ.
        clip = self._clip + (8 + len(name)).to_bytes(4, "big") + b"free" + name.encode()
        self.jobs[name] = RemoteJob(name, identity, clip, "completed" if self._kind else "queued")
        return self.jobs[name]

    def _shown(self, job: RemoteJob) -> dict[str, object]:
        shown: dict[str, object] = {"id": job.id, "object": "video", "status": job.status, "model": "sora-2"}
        shown |= {"prompt": job.identity[0], "seconds": seconds_of(job.identity[1]), "size": "1280x720"}
        return shown | {"progress": 100 * job.is_finished}

    def _sent(self, connection: socket.socket, clip: bytes, said: str, kind: tuple[str, str], headers: Any) -> bytes:
        if said == "short":
            return answer(200, clip[: 2 * len(clip) // 3], [kind])
        name = f'"{clip[-10:].decode()}"'
        first = int(headers.get("Range", "bytes=0-")[6:-1])  # the engine asks for all from some byte on
        if first and headers.get("If-Range", name) == name:
            span = ("Content-Range", f"bytes {first}-{len(clip) - 1}/{len(clip)}")
            whole = answer(206, clip[first:], [kind, ("ETag", name), span])
        else:
            whole = answer(200, clip, [kind, ("ETag", name), ("Accept-Ranges", "bytes")])
        if said == "cut":
            return whole[: -len(clip) // 3]
        if said == "stall":
            half, released = len(whole) // 2, self._released
            connection.sendall(whole[:half])
            while not released.wait(TICK_S) and not _has_left(connection):
                pass
            return whole[half:]
        return whole

    @contextmanager
    def _downloading(self, video_id: str, engine: str, connection: socket.socket) -> Iterator[None]:
        """Note that one engine fetches that video: no other one does at the same time."""
        with self._lock:
            for job, other, used in self._downloads:
                if job == video_id and other not in (engine, *self._ended) and not _has_left(used):
                    self.violations.append(f"{video_id} is downloaded by {other} and by {engine}")
            self._downloads.append((video_id, engine, connection))
        try:
            yield
        finally:
            with self._lock:
                self._downloads.remove((video_id, engine, connection))


def _has_left(connection: socket.socket) -> bool:
    """Has the client closed the connection?"""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    adversary: Adversary

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has left is its own business; anything else is a fault of this file."""
        if not isinstance(sys.exception(), OSError):
            self.adversary.violations.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        prompt, seconds = (re.findall(rf'name="{name}"\r\n\r\n(.*?)\r\n', body)[0] for name in ("prompt", "seconds"))
        self._respond(self.server.adversary.create(self.connection, self._engine, (prompt, int(seconds) // 4)))

    def do_GET(self) -> None:
        adversary = self.server.adversary
        path = re.fullmatch(r"/v1/videos(?:/(\w+)(/content)?)?(?:\?.*)?", self.path)
        assert path is not None, self.path
        if path[2]:
            self._respond(adversary.content(self.connection, self._engine, path[1], self.headers))
        else:
            self._respond(adversary.poll(path[1]) if path[1] else adversary.listed())

    @property
    def _engine(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _respond(self, response: bytes | None) -> None:
        if response is None:
            reset(self.connection)
        else:
            self.connection.sendall(response)

    def log_message(self, *_: object) -> None: ...
