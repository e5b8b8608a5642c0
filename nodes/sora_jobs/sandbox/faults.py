"""How downloads and polls misbehave when they were asked to (directives.py says how to ask)."""

from __future__ import annotations

from aiohttp import web

from .ranges import Piece
from .store import SandboxJob, Store


class Faults:
    """Faults that happen the first N times."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self, job: SandboxJob, name: str) -> bool:
        """Is it this fault's turn? Counted on disk, so that a restart does not begin anew."""
        times = job.directives.get(name, "")
        return bool(times) and self._store.times(f"{job.id} {name}") < int(times)

    async def send(self, request: web.Request, job: SandboxJob, piece: Piece) -> web.StreamResponse:
        """The piece of the film, or what goes wrong instead."""
        if self.now(job, "bad_mp4"):
            return web.json_response({"error": {"message": "the file is not there yet"}})
        if self.now(job, "cut"):
            return await _cut(request, piece)
        return web.Response(status=piece.status, headers=piece.headers, body=piece.data)


async def _cut(request: web.Request, piece: Piece) -> web.StreamResponse:
    """Half of what was promised, then the connection breaks."""
    answer = web.StreamResponse(status=piece.status, headers=piece.headers)
    answer.content_length = len(piece.data)
    await answer.prepare(request)
    await answer.write(piece.data[: len(piece.data) // 2])
    assert request.transport is not None
    request.transport.close()
    return answer
