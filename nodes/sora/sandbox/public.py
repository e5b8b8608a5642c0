"""The two lists of models: /v1/models, and the public catalogue."""

from __future__ import annotations

from aiohttp import web

from ..catalogue import Catalogue


async def models(_: web.Request) -> web.StreamResponse:
    """GET /v1/models, as at OpenAI."""
    names = Catalogue.shipped().models
    return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


async def catalogue(_: web.Request) -> web.StreamResponse:
    """GET /api/models: the gateway's public catalogue, which needs no key (docs/gateway.md)."""
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
