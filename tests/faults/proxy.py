"""A bad line: a TCP proxy between our client and a gateway that breaks what passes, as often as it is told to.

It reads just enough HTTP to know where a request and an answer end, so that each exchange on a connection that is kept
open has its own fate. What becomes of the n-th exchange is drawn from the seed and n.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

PIECE = 64 << 10  # bytes
DELAYED = 0.1  # of the exchanges that come to no harm
LONGEST_DELAY_S = 0.05

# fault -> how often it is drawn compared with the others; a hung connection costs the client its whole timeout
FAULTS = {
    "closed unread": 4,
    "request head cut": 4,
    "request body cut": 4,
    "answer dropped": 4,
    "answer head cut": 4,
    "answer body cut": 4,
    "hung": 1,
}


class Broken(Exception):
    """The connection is to be broken now."""


@dataclass
class Line:
    """One connection of the client's, and ours to the gateway behind it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    far_reader: asyncio.StreamReader
    far_writer: asyncio.StreamWriter

    def close(self, *, hard: bool) -> None:
        """With a FIN, or `hard` with a RST."""
        for writer in (self.writer, self.far_writer):
            if hard:
                line: socket.socket = writer.get_extra_info("socket")
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()


class Proxy:
    """A running proxy in front of the gateway at `target`; a context manager.

    `rate` is the share of exchanges that are broken; `always` is the one fault that each of them gets instead.
    `tally` counts (call, fault), and `whole_creates` the creates that were handed to the gateway to the last byte;
    `unanswered` are the numbers of those to which it has not answered yet.
    """

    def __init__(self, target: str, *, rate: float = 0.0, seed: int = 0, always: str = "") -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._rate, self._seed, self._always = rate, seed, always
        self._exchanges = 0
        self.tally: Counter[tuple[str, str]] = Counter()
        self.whole_creates = 0
        self.unanswered: set[int] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    def __enter__(self) -> Proxy:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bad-line")
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> asyncio.Server:
        return await asyncio.start_server(self._connected, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for writer in self._writers:  # also those whose last bytes nobody takes any more
            writer.transport.abort()
        await asyncio.sleep(0.01)  # a socket is closed in the loop's next turn

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        dice = random.Random(self._seed)
        with contextlib.suppress(Broken, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            line = Line(reader, writer, *await asyncio.open_connection(*self._target))
            self._writers.add(line.far_writer)
            try:
                while True:
                    self._exchanges += 1
                    dice = random.Random(f"{self._seed} {self._exchanges}")
                    await self._exchange(line, self._exchanges, dice, self._drawn(dice))
            finally:
                line.close(hard=dice.random() < 0.5)

    def _drawn(self, dice: random.Random) -> str:
        if self._always:
            return self._always
        if dice.random() >= self._rate:
            return "delayed" if dice.random() < DELAYED else ""
        return dice.choices(list(FAULTS), list(FAULTS.values()))[0]

    async def _exchange(self, line: Line, number: int, dice: random.Random, fault: str) -> None:
        """One request and its answer, or as much of them as the fault lets through."""
        if fault == "closed unread":
            self.tally["?", fault] += 1
            raise Broken
        head = await line.reader.readuntil(b"\r\n\r\n")
        call = _call(head)
        if not (length := _length(head)) and fault == "request body cut":
            fault = "request head cut"
        self.tally[call, fault or "passed"] += 1
        if fault == "request head cut":
            line.far_writer.write(head[: dice.randrange(1, len(head))])
            raise Broken
        line.far_writer.write(head)
        if fault == "request body cut":
            line.far_writer.write(await line.reader.readexactly(dice.randrange(length)))
            raise Broken
        if call == "create":
            self.unanswered.add(number)
        try:
            await _pump(line.reader, line.far_writer, length)
            self.whole_creates += call == "create"
            answer = await line.far_reader.readuntil(b"\r\n\r\n")
        finally:
            self.unanswered.discard(number)
        if fault == "answer dropped":
            raise Broken
        if fault == "hung":
            await line.reader.read(1)  # the client gives up
            raise Broken
        if fault == "delayed":
            await asyncio.sleep(dice.uniform(0, LONGEST_DELAY_S))
        line.writer.write(answer[: dice.randrange(1, len(answer))] if fault == "answer head cut" else answer)
        if fault == "answer head cut":
            raise Broken
        size = _length(answer)
        await _pump(line.far_reader, line.writer, dice.randrange(size) if fault == "answer body cut" and size else size)
        if fault == "answer body cut":
            raise Broken


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, size: int) -> None:
    """Exactly `size` bytes from one side to the other, as fast as the other takes them."""
    while size:
        piece = await source.read(min(size, PIECE))
        if not piece:
            raise Broken
        target.write(piece)
        await target.drain()
        size -= len(piece)


def _length(head: bytes) -> int:
    found = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    return int(found[1]) if found else 0


def _call(head: bytes) -> str:
    first = head.split(b"\r\n", 1)[0]
    if first.startswith(b"POST"):
        return "create"
    if b"/content" in first:
        return "rest of content" if b"\r\nRange:" in head else "content"
    return "poll"
