"""The pack's HTTP routes: what the page shows of the ledger, the models and the settings (docs: js/, SECURITY.md).

Nothing here takes a path or an address, nothing buys, and a key can be written but never read. Handlers wait without
host/execution.py, which would take an interrupt away from the prompt that it is for.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from typing import Any

from aiohttp import web

from ..host import files, http, messages
from ..host.engine import get_engine, on_engine_created, text_of
from ..host.safe_paths import confined
from ..sora_jobs.engine import COMETAPI, Engine
from ..sora_jobs.errors import InvalidInputError, SoraError, storage_error
from ..sora_jobs.jobs.spec import Job
from ..sora_jobs.util.atomic_write import copy
from . import access
from .access import LONGEST_PARAMETER, dated, text_in

LISTED = 200
FOR_EVER = "private, max-age=31536000, immutable"  # a stored video does not change

routes = http.routes


def send_job_events() -> None:
    """From now on, every open page is told of jobs that change. Pages of others can listen, too (a WebSocket knows no
    origin, and the host asks for none), so the event says how a job stands, and the page asks for the rest."""

    def listen(engine: Engine) -> None:
        def tell(job: Job, was: str) -> None:
            try:
                http.send("sora.job", engine.history.event(job, was))
            except SoraError as error:  # the ledger's database is away
                messages.log_warning(text_of(error))

        engine.changes.listen(tell)

    on_engine_created[:] = [listen]


# -- jobs -------------------------------------------------------------------------------------------------------------


@routes.get("/sora/jobs")
@access.reads
async def jobs(_: web.Request) -> list[str]:
    """The ledger's newest jobs as readable lines, for SoraOpenJob's list."""
    return await asyncio.to_thread(get_engine().history.labels, LISTED)


@routes.get("/sora/history")
@access.reads
async def history(request: web.Request) -> dict[str, Any]:
    """A page of rows: `state`, `search`, `after` (the last id of the page before), `limit`."""
    state, search, after, limit = (
        request.query.get(name, "")[:LONGEST_PARAMETER] for name in ("state", "search", "after", "limit")
    )
    if limit and not re.fullmatch(r"[0-9]{1,6}", limit):
        raise InvalidInputError(f"limit is {limit!r}; it takes a number.", code="invalid_request")
    number = {"limit": int(limit)} if limit else {}
    return dated(
        await asyncio.to_thread(lambda: get_engine().history.page(state=state, search=search, after=after, **number))
    )


@routes.get("/sora/history/{id}")
@access.reads
async def one(request: web.Request) -> dict[str, Any]:
    """One job, with what it was remixed from and what from it."""
    return dated(await asyncio.to_thread(get_engine().history.tree, _id(request)))


@routes.get("/sora/news")
@access.reads
async def news(request: web.Request) -> dict[str, Any]:
    """What a page may have missed: {"mark", "jobs"}, jobs that got into trouble `after` the mark of the last answer, or
    in the last `age` seconds."""
    after, age = (request.query.get(name, "")[:LONGEST_PARAMETER] for name in ("after", "age"))
    if age and not re.fullmatch(r"[0-9]{1,9}", age):
        raise InvalidInputError(f"age is {age!r}; it takes whole seconds.", code="invalid_request")
    return dated(await asyncio.to_thread(get_engine().changes.news, after, float(age or 0)))


@routes.get("/sora/history/{id}/thumbnail")
@access.reads
async def thumbnail(request: web.Request) -> web.StreamResponse:
    """A small JPEG of the stored video."""
    engine, job = get_engine(), _id(request)
    try:
        place = await asyncio.wrap_future(engine.start(lambda: engine.history.thumbnail(job), key="stills"))
    except SoraError as error:
        return access.refusal_of(error, status=404)
    return web.FileResponse(place, headers={"Cache-Control": FOR_EVER})


@routes.get("/sora/of_file/{sha256}")
@access.reads
async def of_file(request: web.Request) -> web.Response | dict[str, Any]:
    """The job that a stored file came from."""
    found = await asyncio.to_thread(get_engine().history.of_file, request.match_info["sha256"][:LONGEST_PARAMETER])
    if found is None:
        return web.json_response({"error": "No job of this ledger."}, status=404)
    return dated({"job": found})


@routes.post("/sora/history/{id}/reconcile")
@access.acts
async def reconcile(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """End an unknown purchase: {} asks the gateway's list, {"video_id": …} names it, {"lost": true} gives it up."""
    job, video_id, lost = _id(request), body.get("video_id", ""), body.get("lost", False)
    if not isinstance(video_id, str) or not isinstance(lost, bool):
        raise InvalidInputError("video_id takes text, and lost takes true or false.", code="invalid_request")
    engine, video_id = get_engine(), video_id.strip()
    lost = lost and not video_id
    future = engine.start(lambda: engine.reconcile(job, video_id=video_id, lost=lost), job=job)
    reconciled = await asyncio.wrap_future(future)
    engine.background.collect(reconciled.id)
    return dated({"job": await asyncio.to_thread(engine.history.row, reconciled)})


@routes.post("/sora/history/{id}/ask")
@access.acts
async def ask_again(request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
    """Ask the provider once more about a job that failed or is stale: free, and one that goes on after all is
    downloaded."""
    engine, name = get_engine(), _id(request)
    job = await asyncio.wrap_future(engine.start(lambda: engine.ask_again(name), job=name))
    engine.background.collect(job.id)
    return dated({"job": await asyncio.to_thread(engine.history.row, job)})


@routes.post("/sora/history/{id}/cancel")
@access.acts
async def cancel(request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
    """Cancel a job of which nothing was sent: it costs nothing, and is not sent any more."""
    job = await asyncio.to_thread(get_engine().queue.cancel, _id(request))
    return dated({"job": await asyncio.to_thread(get_engine().history.row, job)})


@routes.post("/sora/history/{id}/aside")
@access.acts
async def aside(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """{"aside": "unwatched", "forgotten" or ""}; no file is deleted, and nothing that was bought is bought again."""
    wish = text_in(body, "aside")
    job = await asyncio.to_thread(get_engine().background.set_visibility, _id(request), wish)
    return dated({"job": await asyncio.to_thread(get_engine().history.row, job)})


@routes.post("/sora/history/{id}/project")
@access.acts
async def project(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """{"project": what the job is put down to, "" for nothing}; it stays in the ledger."""
    wish = text_in(body, "project")
    job = await asyncio.to_thread(get_engine().history.set_project, _id(request), wish)
    return dated({"job": await asyncio.to_thread(get_engine().history.row, job)})


@routes.post("/sora/history/{id}/again")
@access.acts
async def again(request: web.Request, _: dict[str, Any]) -> dict[str, Any]:
    """What a graph needs to ask for the same again: {"images": a job's images, brought into the input folder, where
    LoadImage finds them; "fit": as they were fitted, "" where nobody knows; "take": the next one that is free}."""
    job = _id(request)
    images = await asyncio.to_thread(_bring_in, job)
    return {"images": images, **await asyncio.to_thread(get_engine().history.again, job)}


@routes.get("/sora/costs")
@access.reads
async def costs(request: web.Request) -> dict[str, Any]:
    """What jobs cost: `by` is day, week, model, provider or project, `since` a date or 7d; as `costs.report` has it."""
    by, since = (request.query.get(name, "")[:LONGEST_PARAMETER] for name in ("by", "since"))
    return await asyncio.to_thread(lambda: get_engine().history.costs(by or "day", since, page=True))


# -- models -----------------------------------------------------------------------------------------------------------


@routes.get("/sora/models")
@access.reads
async def models(_: web.Request) -> dict[str, Any]:
    """The catalogue: what each model takes, costs, and whether it lives."""
    catalogue = await asyncio.to_thread(get_engine().fresh_catalogue)
    return dated({"models": catalogue.rows(), "refreshed_at": catalogue.refreshed_at})


@routes.get("/sora/models/nearest")
@access.reads
async def nearest(request: web.Request) -> dict[str, str]:
    """The living model that comes closest to a model, length and size, at a provider; {} where there is none."""
    model, seconds, size, provider = (
        request.query.get(name, "")[:LONGEST_PARAMETER] for name in ("model", "seconds", "size", "provider")
    )
    try:
        choice = (await asyncio.to_thread(get_engine().fresh_catalogue)).nearest(model, seconds, size, provider)
    except SoraError:  # a size that is none
        choice = None
    return {} if choice is None else choice._asdict()


@routes.post("/sora/quote")
@access.acts
async def quote(request: web.Request, body: dict[str, Any]) -> dict[str, Any]:
    """What a node's purchase would cost, as `Quote` has it: {"usd": null where that is unknown, "price_age_days",
    "comes_out", "unknown", "facts"}. A POST since it carries what widgets say; it changes nothing and asks no
    provider."""
    config = access.config_of(request)
    return (await asyncio.to_thread(lambda: get_engine().quote(body, config=config))).as_dict()


@routes.post("/sora/models/refresh")
@access.acts
async def refresh(_: web.Request, __: dict[str, Any]) -> dict[str, Any]:
    """Ask CometAPI for its public list of models: {"added", "gone", "changed", "doubtful"}, lists of ids."""
    engine = get_engine()
    refreshed = await asyncio.wrap_future(engine.start(engine.refresh_models, key=COMETAPI))
    return dataclasses.asdict(refreshed)


def _id(request: web.Request) -> str:
    return str(request.match_info["id"])[:LONGEST_PARAMETER]


def _bring_in(job_id: str) -> list[str]:
    names = []
    for place in get_engine().history.references(job_id):
        ours = confined(files.input_folder(), f"sora/{place.name}")
        try:
            ours.parent.mkdir(parents=True, exist_ok=True)
            if not ours.exists():
                copy(place, ours)  # whole or not at all: under that name it is never looked at again
        except OSError as error:
            raise storage_error(f"{ours} could not be written", error, job=job_id) from error
        names.append(f"sora/{place.name}")
    return names
