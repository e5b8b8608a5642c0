"""The sandbox's calls: create, retrieve, list, content, remix and the catalogues."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from ..catalogue import Catalogue
from ..errors import InvalidInput
from ..threads import DaemonPool
from .checks import Refusal, Upload, Wanted, check_create
from .directives import parse
from .faults import Faults, refused_on_purpose
from .renders import Renders
from .store import SandboxJob, Store

T = TypeVar("T")
SECONDS = 4.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Routes:
    """Handlers over a store. `counts` tells tests which calls came: ("POST", "/v1/videos") and so on."""

    def __init__(self, folder: Path, seconds: float | None, clock: Callable[[], float]) -> None:
        self.store = Store(folder)
        self.renders = Renders(self.store)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self._takes_s = _default_seconds() if seconds is None else seconds
        self._faults = Faults(self.store)
        self._pool = DaemonPool("sora-sandbox", 4)
        self._creating = threading.Lock()

    def application(self, largest_request: int) -> web.Application:
        """The aiohttp application, with every route."""
        app = web.Application(client_max_size=largest_request, middlewares=[self._envelope])
        app.add_routes(
            [
                web.post("/v1/videos", self.create),
                web.get("/v1/videos", self.newest),
                web.get("/v1/videos/{id}", self.retrieve),
                web.get("/v1/videos/{id}/content", self.content),
                web.post("/v1/videos/{id}/remix", self.remix),
                web.get("/v1/models", self.models),
                web.get("/api/models", self.catalogue),
                web.get("/signed/{id}", self.signed),
            ]
        )
        return app

    def close(self) -> None:
        self._pool.close()
        self.renders.close()

    # -- calls ------------------------------------------------------------------------------------------------------

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/videos: multipart, urlencoded or JSON."""
        form, uploads = await _read_form(request)
        prompt, directives = parse(form.get("prompt", ""))
        job = await self._off_loop(lambda: self._accept(form, uploads, prompt, directives))
        return self._created(request, job)

    async def remix(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/videos/{id}/remix: JSON with a prompt; the source must be completed."""
        parent = self._job(request)
        form, _ = await _read_form(request)
        if parent.progress(self._clock())[0] != "completed":
            raise Refusal(400, "The video to remix must be completed.", code="invalid_request")
        prompt, directives = parse(form.get("prompt", ""))
        if not prompt:
            raise Refusal(400, "Missing required parameter: 'prompt'.", param="prompt")
        self._refuse_on_purpose(directives, prompt)
        wanted = Wanted(parent.model, parent.seconds, parent.size, parent.width, parent.height)
        job = await self._off_loop(lambda: self._new_job(wanted, prompt, directives, [], parent.id))
        return self._created(request, job)

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}."""
        job = self._job(request)
        if self._faults.now(job, "html"):
            return web.Response(text="<html><body>One moment, please</body></html>", content_type="text/html")
        video = self._video(job, request)
        if "wrapped" in job.directives:
            return web.json_response({"code": "success", "message": "", "data": video})
        return web.json_response(video)

    async def newest(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos: newest first, `limit` (20) and `after` as at OpenAI."""
        limit = request.query.get("limit", "20")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise Refusal(400, "'limit' must be from 1 to 100.", param="limit")
        jobs = await self._off_loop(self.store.newest)
        ids = [job.id for job in jobs]
        if (after := request.query.get("after", "")) in ids:
            jobs = jobs[ids.index(after) + 1 :]
        page = [self._video(job, request) for job in jobs[: int(limit)]]
        edges = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
        return web.json_response({"object": "list", "data": page, **edges, "has_more": len(jobs) > len(page)})

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/videos/{id}/content?variant=video|thumbnail|spritesheet."""
        job = self._job(request)
        self._check_ready(job)
        if "redirect" in job.directives:
            raise web.HTTPFound(f"{request.url.origin()}/signed/{job.id}?sig={self._signature(job)}")
        if "url" in job.directives:
            raise Refusal(404, "This gateway has no such call; use the address in the video object.")
        return await self._send(request, job)

    async def signed(self, request: web.Request) -> web.StreamResponse:
        """An address of its own for the file, as gateways give it: whoever has it needs no key, and may send none."""
        job = self._job(request)
        if request.query.get("sig") != self._signature(job) or "Authorization" in request.headers:
            raise Refusal(403, "SignatureDoesNotMatch")
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

    # -- helpers ----------------------------------------------------------------------------------------------------

    def _accept(
        self, form: Mapping[str, str], uploads: list[Upload], prompt: str, directives: dict[str, str]
    ) -> SandboxJob:
        wanted = check_create({**form, "prompt": prompt}, uploads)
        self._refuse_on_purpose(directives, repr(sorted(form.items())))
        references = [self.store.keep_reference(upload.data) for upload in uploads]
        return self._new_job(wanted, prompt, directives, references, "")

    def _refuse_on_purpose(self, directives: dict[str, str], what: str) -> None:
        if "refuse" in directives:
            raise refused_on_purpose(directives["refuse"])
        if "429" in directives and self.store.first_times(f"429 {what}", int(directives["429"])):
            raise refused_on_purpose("rate_limit")

    def _new_job(
        self, wanted: Wanted, prompt: str, directives: dict[str, str], references: list[str], parent: str
    ) -> SandboxJob:
        job = SandboxJob(
            id=self.store.new_id(),
            model=wanted.model,
            seconds=wanted.seconds,
            size=wanted.size,
            width=wanted.width,
            height=wanted.height,
            prompt=prompt,
            created_at=self._clock(),
            takes_s=float(directives.get("slow", self._takes_s)),
            references=references,
            parent=parent,
            directives=directives,
        )
        self.store.save(job)
        if "fail" not in directives:
            self.renders.ensure(job)
        return job

    def _created(self, request: web.Request, job: SandboxJob) -> web.StreamResponse:
        """The first answer: eight fields and no more (seed page); a remix names its source."""
        if "lost_answer" in job.directives:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if "broken_answer" in job.directives:
            return web.Response(status=502, text="<html><body>502 Bad Gateway</body></html>", content_type="text/html")
        full = self._video(job, request)
        names = ["created_at", "id", "model", "object", "progress", "seconds", "size", "status"]
        answer = {name: full[name] for name in names + (["remixed_from_video_id"] if job.parent else [])}
        return web.json_response({**answer, "status": "queued", "progress": 0})

    def _video(self, job: SandboxJob, request: web.Request) -> dict[str, Any]:
        """The video object as it is now."""
        status, progress = job.progress(self._clock())
        done = status in ("completed", "failed")
        video: dict[str, Any] = {
            "id": job.id,
            "object": "video",
            "model": job.model,
            "status": status,
            "progress": progress,
            "created_at": int(job.created_at),
            "completed_at": int(job.completed_at) if done else None,
            "expires_at": int(job.completed_at) + 3600 if status == "completed" else None,
            "prompt": job.prompt,
            "size": job.size,
            "seconds": str(job.seconds),
            "remixed_from_video_id": job.parent or None,
            "error": None,
        }
        if status == "failed":
            code = job.directives["fail"]
            video["error"] = {"code": code, "message": f"The sandbox was asked to fail this job ({code})."}
        elif status == "completed" and "url" in job.directives:
            video["video_url"] = f"{request.url.origin()}/signed/{job.id}?sig={self._signature(job)}"
        return video

    def _check_ready(self, job: SandboxJob) -> None:
        now = self._clock()
        if job.progress(now)[0] != "completed":
            raise Refusal(404, "Video is not ready yet, use GET /v1/videos/{id} to check its status.", code="not_ready")
        if job.expired(now):
            raise Refusal(404, "This video's content has expired.", code="expired")
        if self._faults.now(job, "notready"):
            raise Refusal(404, "Video is not ready yet.", code="not_ready")

    async def _send(self, request: web.Request, job: SandboxJob) -> web.StreamResponse:
        path = await asyncio.wrap_future(self.renders.ensure(job))
        variant = request.query.get("variant", "video")
        if variant == "video":
            return await self._faults.send(request, job, path)
        from .render import spritesheet, still

        if variant == "thumbnail":
            data, kind = await self._off_loop(lambda: still(path.read_bytes(), "WEBP")), "image/webp"
        elif variant == "spritesheet":
            data, kind = await self._off_loop(lambda: spritesheet(path.read_bytes())), "image/jpeg"
        else:
            raise Refusal(400, "variant must be video, thumbnail or spritesheet.", param="variant")
        return web.Response(body=data, content_type=kind)

    def _job(self, request: web.Request) -> SandboxJob:
        job = self.store.load(request.match_info["id"])
        if job is None:
            raise Refusal(404, f"Video with id '{request.match_info['id'][:80]}' not found.", code="not_found")
        return job

    @staticmethod
    def _signature(job: SandboxJob) -> str:
        return job.id[-8:]

    async def _off_loop(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._pool.submit(work))

    @web.middleware
    async def _envelope(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A key for all but the public calls; every error as JSON; a request id on every answer."""
        resource = request.match_info.route.resource
        self.counts[request.method, resource.canonical if resource is not None else "?"] += 1
        try:
            if request.path.startswith("/v1/") and not _bearer(request):
                raise Refusal(401, "You didn't provide an API key.", code="invalid_api_key")
            answer = await handler(request)
        except Refusal as refusal:
            answer = web.json_response(refusal.body, status=refusal.status)
            if refusal.status == 429:
                answer.headers["Retry-After"] = "1"
        except web.HTTPRequestEntityTooLarge:
            answer = web.json_response(Refusal(413, "The request is too large.").body, status=413)
        except web.HTTPClientError as error:
            answer = web.json_response(Refusal(error.status, error.reason).body, status=error.status)
        if not answer.prepared:
            answer.headers["x-request-id"] = f"req_{secrets.token_hex(8)}"
        return answer


def _bearer(request: web.Request) -> bool:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and bool(key.strip())


async def _read_form(request: web.Request) -> tuple[dict[str, str], list[Upload]]:
    """The fields and files of a request, whichever of the three forms it has."""
    form: dict[str, str] = {}
    uploads: list[Upload] = []
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.read() or b"{}")
        except (ValueError, RecursionError):
            raise Refusal(400, "The body is not JSON.") from None
        if not isinstance(body, dict):
            raise Refusal(400, "The body is not a JSON object.")
        return {str(name): str(value) for name, value in body.items() if value is not None}, uploads
    try:
        posted = await request.post()
    except ValueError:
        raise Refusal(400, "The form cannot be read.") from None
    for name, value in posted.items():
        if isinstance(value, web.FileField):
            if name not in ("input_reference", "input_reference[]"):
                raise Refusal(400, f"Unknown file '{name}'.", param=name)
            with value.file as file:
                uploads.append(Upload(value.filename, value.content_type, file.read()))
        elif isinstance(value, str):
            form[name] = value
        else:
            raise Refusal(400, f"Invalid type for '{name}': expected a file or text.", param=name)
    return form, uploads


def _default_seconds() -> float:
    text = os.environ.get("SORA_SANDBOX_SECONDS", "").strip()
    try:
        seconds = float(text) if text else SECONDS
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 86_400:
        raise InvalidInput(f"SORA_SANDBOX_SECONDS is {text!r}.", advice="It wants a number of seconds.")
    return seconds
