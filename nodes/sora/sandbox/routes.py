"""The sandbox's calls over HTTP: create, retrieve, list, content, remix and the catalogues."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from ..catalogue import Catalogue
from ..threads import DaemonPool
from .checks import Refusal
from .faults import Faults
from .files import read_piece
from .forms import has_key, read_form
from .jobs import Jobs
from .store import SandboxJob

T = TypeVar("T")
VARIANTS = ("video", "thumbnail", "spritesheet")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Routes:
    """Handlers over the jobs of a folder. `counts` tells tests which calls came: ("POST", "/v1/videos") and so on."""

    def __init__(self, folder: Path, seconds: float | None, clock: Callable[[], float]) -> None:
        self.jobs = Jobs(folder, seconds, clock)
        self.files_url = ""  # of the second address; the server knows it once it listens
        self.counts: Counter[tuple[str, str]] = Counter()
        self._faults = Faults(self.jobs.store)
        self._pool = DaemonPool("sora-sandbox", 4)

    def application(self, largest_request: int) -> web.Application:
        """The aiohttp application, with every route."""
        app = web.Application(client_max_size=largest_request, middlewares=[self._envelope])
        app.add_routes(
            [
                web.post("/v1/videos", self.create),
                web.get("/v1/videos", self.list),
                web.get("/v1/videos/{id}", self.retrieve),
                web.get("/v1/videos/{id}/content", self.content),
                web.post("/v1/videos/{id}/remix", self.remix),
                web.get("/v1/models", self.models),
                web.get("/api/models", self.catalogue),
            ]
        )
        app.on_response_prepare.append(_name_the_request)
        return app

    def file_host(self) -> web.Application:
        """The application of a second address, where signed links lead: a key must never come there."""
        app = web.Application(middlewares=[self._envelope])
        app.router.add_get("/signed/{id}", self.signed)
        app.on_response_prepare.append(_name_the_request)
        return app

    def close(self) -> None:
        self._pool.close()
        self.jobs.close()

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/videos: multipart, urlencoded or JSON."""
        form = await read_form(request)
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
        if "wrapped" in job.directives:
            return web.json_response({"code": "success", "message": "", "data": video})
        return web.json_response(video)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos: newest first; `limit` (20), `order` (desc) and `after` as at OpenAI."""
        asked = {"limit": "20", "order": "desc", "after": "", **request.query}
        jobs, more = await self._off_loop(
            lambda: self.jobs.page(limit=asked["limit"], order=asked["order"], after=asked["after"])
        )
        videos = [self._video(job) for job in jobs]
        edges = {"first_id": jobs[0].id if jobs else None, "last_id": jobs[-1].id if jobs else None}
        return web.json_response({"object": "list", "data": videos, **edges, "has_more": more})

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}/content?variant=video|thumbnail|spritesheet."""
        job = self._job(request)
        self.jobs.check_ready(job)
        if "url" in job.directives:
            raise Refusal(404, "This gateway has no such call; use the address in the video object.")
        if self._faults.now(job, "notready"):
            raise Refusal(404, "Video is not ready yet.", code="not_ready")
        if "redirect" in job.directives:
            raise web.HTTPFound(self._signed_address(job))
        return await self._send(request, job)

    async def signed(self, request: web.Request) -> web.StreamResponse:
        """An address of its own for the file, as gateways give it: whoever has it needs no key, and may send none."""
        job = self._job(request)
        if request.query.get("sig") != _signature(job) or "Authorization" in request.headers:
            raise Refusal(403, "SignatureDoesNotMatch")
        self.jobs.check_ready(job)
        return await self._send(request, job)

    async def models(self, _: web.Request) -> web.StreamResponse:
        """GET /v1/models, as at OpenAI."""
        names = Catalogue.shipped().models
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})

    async def catalogue(self, _: web.Request) -> web.StreamResponse:
        """GET /api/models: the gateway's public catalogue, which needs no key (facts: gateway.md, section 1)."""
        rows = [
            {
                "id": model.id,
                "provider": "sandbox",
                "model_type": "video",
                "features": ["text-to-video", *(["image-to-video"] if model.references else [])],
                "pricing": {"currency": "USD", "per_second": 0},
                "endpoints": ["/v1/videos"],
                "upcoming": False,
            }
            for model in Catalogue.shipped().models.values()
        ]
        return web.json_response({"success": True, "page": 1, "page_size": 100, "total": len(rows), "data": rows})

    def _job(self, request: web.Request) -> SandboxJob:
        return self.jobs.find(request.match_info["id"])

    def _accepted(self, request: web.Request, job: SandboxJob) -> web.StreamResponse:
        if "lost_answer" in job.directives:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if "broken_answer" in job.directives:
            return web.Response(status=502, text="<html><body>502 Bad Gateway</body></html>", content_type="text/html")
        return web.json_response(self.jobs.describe_new(job))

    def _video(self, job: SandboxJob) -> dict[str, Any]:
        video = self.jobs.describe(job)
        if "url" in job.directives and video["status"] == "completed":
            video["video_url"] = self._signed_address(job)
        return video

    def _signed_address(self, job: SandboxJob) -> str:
        return f"{self.files_url}/signed/{job.id}?sig={_signature(job)}"

    async def _send(self, request: web.Request, job: SandboxJob) -> web.StreamResponse:
        variant = request.query.get("variant", "video")
        if variant not in VARIANTS:
            raise Refusal(400, f"variant must be one of {', '.join(VARIANTS)}.", param="variant", code="invalid_value")
        path = await asyncio.wrap_future(self.jobs.renders.ensure(job))
        if variant == "video":
            piece = await self._off_loop(lambda: read_piece(path, request))
            return await self._faults.send(request, job, piece)
        from .stills import spritesheet, thumbnail

        draw, kind = (thumbnail, "image/webp") if variant == "thumbnail" else (spritesheet, "image/jpeg")
        return web.Response(body=await self._off_loop(lambda: draw(path)), content_type=kind)

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._pool.submit(work))

    @web.middleware
    async def _envelope(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A key for all but the public calls; every error as JSON."""
        resource = request.match_info.route.resource
        self.counts[request.method, resource.canonical if resource is not None else "?"] += 1
        try:
            if request.path.startswith("/v1/") and not has_key(request):
                raise Refusal(401, "You didn't provide an API key.", code="invalid_api_key")
            return await handler(request)
        except Refusal as refusal:
            return _as_json(refusal)
        except OSError as error:  # a full disk
            return _as_json(Refusal(500, f"The sandbox cannot go on: {error.strerror or error}."))
        except web.HTTPRequestEntityTooLarge:
            return _as_json(Refusal(413, "The request is too large."))
        except web.HTTPClientError as error:
            return _as_json(Refusal(error.status, error.reason))


async def _name_the_request(_: web.Request, answer: web.StreamResponse) -> None:
    answer.headers["x-request-id"] = f"req_{secrets.token_hex(8)}"


def _as_json(refusal: Refusal) -> web.Response:
    headers = {"Retry-After": "1"} if refusal.status == 429 else None
    return web.json_response(refusal.body, status=refusal.status, headers=headers)


def _signature(job: SandboxJob) -> str:
    return job.id[-8:]
