"""How the sandbox misbehaves when it was asked to (directives.py says how to ask)."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from .store import SandboxJob, Store


class Faults:
    """Faults that happen the first N times."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self, job: SandboxJob, name: str) -> bool:
        """Is it this fault's turn? Counted on disk, so that a restart does not begin anew."""
        times = job.directives.get(name, "")
        return bool(times) and self._store.first_times(f"{job.id} {name}", int(times))

    async def send(self, request: web.Request, job: SandboxJob, path: Path) -> web.StreamResponse:
        """The file, with Range and ETag; or what goes wrong instead."""
        if self.now(job, "bad_mp4"):
            return web.json_response({"error": {"message": "the file is not there yet"}})
        if self.now(job, "cut"):
            return await self._cut(request, path)
        return web.FileResponse(path, headers={"Content-Type": "video/mp4"})

    async def _cut(self, request: web.Request, path: Path) -> web.StreamResponse:
        """Half of what is missing, then the connection breaks; a Range is honoured, so that resuming can be seen."""
        data, status = path.read_bytes(), path.stat()
        match = re.fullmatch(r"bytes=([0-9]+)-", request.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        answer = web.StreamResponse(status=206 if match else 200)
        # The very ETag that aiohttp gives the whole file, so that the rest can be asked for.
        answer.headers["ETag"] = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
        answer.headers["Content-Type"] = "video/mp4"
        if match:
            answer.headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        answer.content_length = len(data) - start
        await answer.prepare(request)
        await answer.write(data[start : start + (len(data) - start) // 2])
        assert request.transport is not None
        request.transport.close()
        return answer
