"""The sandbox's calls over HTTP: create, retrieve, list, delete, content and remix. What they say, the family says."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from aiohttp import web

from ..util.daemon_pool import DaemonPool
from .families.base import Family
from .faults import Faults
from .jobs import Jobs
from .middleware import application
from .model_routes import catalogue, models
from .ranges import read_piece
from .request_form import Form, read_form
from .store import SandboxJob
from .validation import Refusal

T = TypeVar("T")


class Routes:
    """Handlers over the jobs of a folder. `counts` tells tests which calls came: ("POST", "/v1/videos") and so on."""

    def __init__(self, folder: Path, seconds: float | None, clock: Callable[[], float], family: Family) -> None:
        self.family = family
        self.jobs = Jobs(folder, seconds, clock, family)
        self.files_url = ""  # of the second address; the server knows it once it listens
        self.counts: Counter[tuple[str, str]] = Counter()
        self._faults = Faults(self.jobs.store)
        self._pool = DaemonPool("sora-sandbox", 4)

    def application(self, largest_request: int) -> web.Application:
        """The aiohttp application, with every route that the family has."""
        app = application(self.family, self.counts, largest_request)
        app.add_routes(
            [
                web.post("/v1/videos", self.create),
                web.get("/v1/videos/{id}", self.retrieve),
                web.get("/v1/videos/{id}/content", self.content),
                web.get("/v1/models", models),
                web.get("/api/models", catalogue),
            ]
        )
        if self.family.lists:
            app.router.add_get("/v1/videos", self.list)
        if self.family.deletes:
            app.router.add_delete("/v1/videos/{id}", self.delete)
        if self.family.remix:
            app.router.add_post("/v1/videos/{id}/remix", self.remix)
        return app

    def file_host(self) -> web.Application:
        """The application of a second address, where signed links lead: a key must never come there."""
        app = application(Family(), self.counts)
        app.router.add_get("/signed/{id}", self.signed)
        return app

    def close(self) -> None:
        self._pool.close()
        self.jobs.close()

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/videos: multipart, urlencoded or JSON."""
        unread = request.content_type == "application/json" and not self.family.reads_json
        form = Form() if unread else await read_form(request)
        return self._accepted(request, await self._off_loop(lambda: self.jobs.create(form)))

    async def remix(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/videos/{id}/remix: JSON with a prompt; the source must be completed."""
        parent = self._job(request)
        form = await read_form(request)
        return self._accepted(request, await self._off_loop(lambda: self.jobs.remix(parent, form)))

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}."""
        job = self._job(request)
        if self._faults.now(job, "html"):
            return web.Response(text="<html><body>One moment, please</body></html>", content_type="text/html")
        video = self._video(job)
        status = self.family.status_of(video)
        if "wrapped" in job.directives:
            video = {"code": "success", "message": "", "data": video}
        return web.json_response(video, status=status)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos: newest first; `limit` (20), `order` (desc) and `after` as at OpenAI."""
        asked = {"limit": "20", "order": "desc", "after": "", **request.query}
        jobs, more = await self._off_loop(
            lambda: self.jobs.page(limit=asked["limit"], order=asked["order"], after=asked["after"])
        )
        return web.json_response(self.family.page([self._video(job) for job in jobs], more))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE /v1/videos/{id}."""
        job = self._job(request)
        answer = self.family.deleted(job, self.jobs.now())
        self.jobs.delete(job)
        return web.json_response(answer)

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}/content, with variant=video|thumbnail|spritesheet where the family has them."""
        job = self._job(request)
        if self.family.in_object:
            raise Refusal(404, "There is no such call.")
        now = self.jobs.now()
        self.family.check_ready(job, now)
        if "url" in job.directives:
            raise Refusal(404, "This gateway has no such call; use the address in the video object.")
        if self._faults.now(job, "notready"):
            raise self.family.not_ready(job, now)
        if "redirect" in job.directives:
            raise web.HTTPFound(self._signed_address(job))
        return await self._send(request, job, self.family)

    async def signed(self, request: web.Request) -> web.StreamResponse:
        """An address of its own for the file, as gateways give it: whoever has it needs no key, and may send none."""
        job, storage = self._job(request), Family()
        if request.query.get("sig") != _signature(job) or "Authorization" in request.headers:
            raise Refusal(403, "SignatureDoesNotMatch")
        storage.check_ready(job, self.jobs.now())
        if self.family.in_object and self._faults.now(job, "notready"):
            raise Refusal(404, "NoSuchKey")
        if self.family.in_object and "redirect" in job.directives and "moved" not in request.query:
            raise web.HTTPFound(f"{self._signed_address(job)}&moved=1")
        return await self._send(request, job, storage)

    def _job(self, request: web.Request) -> SandboxJob:
        return self.jobs.find(request.match_info["id"])

    def _accepted(self, request: web.Request, job: SandboxJob) -> web.StreamResponse:
        if "lost_answer" in job.directives:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if "broken_answer" in job.directives:
            return web.Response(status=502, text="<html><body>502 Bad Gateway</body></html>", content_type="text/html")
        return web.json_response(self.family.created(job))

    def _video(self, job: SandboxJob) -> dict[str, Any]:
        now, address = self.jobs.now(), self._signed_address(job)
        video = self.family.video(job, now, address)
        if "url" in job.directives and job.progress(now)[0] == "completed":
            video["video_url"] = address
        return video

    def _signed_address(self, job: SandboxJob) -> str:
        return f"{self.files_url}/signed/{quote(self.family.shown_id(job), safe='')}?sig={_signature(job)}"

    async def _send(self, request: web.Request, job: SandboxJob, family: Family) -> web.StreamResponse:
        variant = family.variant(request.query.get("variant"))
        path = await asyncio.wrap_future(self.jobs.renders.ensure(job))
        if variant == "video":
            piece = await self._off_loop(lambda: read_piece(path, request, ranges=family.ranges))
            return await self._faults.send(request, job, piece)
        from .still_images import spritesheet, thumbnail

        draw, kind = (thumbnail, "image/webp") if variant == "thumbnail" else (spritesheet, "image/jpeg")
        return web.Response(body=await self._off_loop(lambda: draw(path)), content_type=kind)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._pool.submit(work))


def _signature(job: SandboxJob) -> str:
    return job.id[-8:]
