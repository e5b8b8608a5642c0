"""The two lists of models: /v1/models, and the public catalogue."""

from __future__ import annotations

from aiohttp import web

from .pages import pages


async def models(_: web.Request) -> web.StreamResponse:
    """GET /v1/models, as at OpenAI."""
    return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in pages()]})


async def catalogue(_: web.Request) -> web.StreamResponse:
    """GET /api/models: the gateway's public catalogue, which needs no key (docs/gateway.md)."""
    rows = [
        {
            "id": name,
            "provider": "sandbox",
            "model_type": "video",
            "features": ["text-to-video", *(["image-to-video"] if page.references else [])],
            "pricing": {"currency": "USD", "per_second": 0},
            "endpoints": ["/v1/videos"],
            "upcoming": False,
        }
        for name, page in pages().items()
    ]
    return web.json_response({"success": True, "page": 1, "page_size": 100, "total": len(rows), "data": rows})
