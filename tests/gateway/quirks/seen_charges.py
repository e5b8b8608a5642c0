"""Rows for what providers say that a video cost: dollars only from who is known to mean them, and only at its end."""

from __future__ import annotations

from .places import COMET, GITHUB
from .rows import NO_ADDRESS, Row, job, row

OPENROUTER_USAGE = "https://openrouter.ai/docs/client-sdks/typescript/models/videogenerationusage.md"
XAI = "https://docs.x.ai/developers/cost-tracking.md"
MERGE = "https://docs.merge.dev/merge-gateway/api-overview/videos/retrieve.md"
AT_OPENROUTER = "https://openrouter.ai/api/v1/videos/task_v"
AT_XAI = "https://api.x.ai/v1/videos/task_v"
AT_MERGE = "https://api-gateway.merge.dev/v1/videos/task_v"
AT_COMETAPI = "https://api.cometapi.com/v1/videos/task_v"


def _cost(
    name: str, seen: int | str, url: str, fields: str, usd: float | None, *, status: str = "completed", phase: str = ""
) -> Row:
    body = f'{{"id":"task_v","object":"video","status":"{status}",{fields}}}'
    return row(f"cost: {name}", seen, "retrieve", 200, body, job(phase or "done", charged_usd=usd), url=url)


ROWS = [
    _cost("OpenRouter's", OPENROUTER_USAGE, AT_OPENROUTER, '"usage":{"cost":0.3125,"is_byok":false}', 0.3125),
    _cost("nothing, by its own word", OPENROUTER_USAGE, AT_OPENROUTER, '"usage":{"cost":0}', 0.0),
    _cost("at www.openrouter.ai", NO_ADDRESS, "https://www.openrouter.ai/api/v1/videos/task_v",
          '"usage":{"cost":0.5}', 0.5),
    _cost("null", OPENROUTER_USAGE, AT_OPENROUTER, '"usage":{"cost":null}', None),
    _cost("no usage", OPENROUTER_USAGE, AT_OPENROUTER, '"usage":null', None),
    _cost("with the account holder's own key", OPENROUTER_USAGE, AT_OPENROUTER,
          '"usage":{"cost":0.01,"is_byok":true}', None),
    _cost("not at its end yet", OPENROUTER_USAGE, AT_OPENROUTER, '"usage":{"cost":0.3}', None,
          status="in_progress", phase="running"),
    _cost("of a job that failed", OPENROUTER_USAGE, AT_OPENROUTER, '"usage":{"cost":0.3}', None,
          status="failed", phase="failed"),
    _cost("as text", NO_ADDRESS, AT_OPENROUTER, '"usage":{"cost":"0.3"}', None),
    _cost("true", NO_ADDRESS, AT_OPENROUTER, '"usage":{"cost":true}', None),
    _cost("below nothing", NO_ADDRESS, AT_OPENROUTER, '"usage":{"cost":-1}', None),
    _cost("beyond all sense", NO_ADDRESS, AT_OPENROUTER, '"usage":{"cost":10001}', None),
    _cost("no number", NO_ADDRESS, AT_OPENROUTER, '"usage":{"cost":NaN}', None),
    _cost("without end", NO_ADDRESS, AT_OPENROUTER, f'"usage":{{"cost":1{"0" * 400}}}', None),
    _cost("one that is not OpenRouter", NO_ADDRESS, "https://openrouter.ai.example/v1/videos/task_v",
          '"usage":{"cost":0.3}', None),
    _cost("xAI's", XAI, AT_XAI, '"usage":{"cost_in_usd_ticks":3200000000}', 0.32, status="done"),
    _cost("at a region of xAI's", NO_ADDRESS, "https://us-east-1.api.x.ai/v1/videos/task_v",
          '"usage":{"cost_in_usd_ticks":500000000}', 0.05, status="done"),
    _cost("xAI's, passed on by CometAPI", f"{COMET}/api/video/xai/get-video-generation-results",
          "https://api.cometapi.com/grok/v1/videos/task_v", '"usage":{"cost_in_usd_ticks":500000000}', None),
    _cost("Merge's", MERGE, AT_MERGE, '"cost":0.48', 0.48),
    _cost("Merge's, not known", MERGE, AT_MERGE, '"cost":null', None),
    _cost("the same word of another one", NO_ADDRESS, AT_COMETAPI, '"cost":12', None),
    _cost("an upstream's, copied by new-api", f"{GITHUB}/QuantumNous/new-api", AT_COMETAPI,
          '"usage":{"cost":0.3},"quota":140037', None),
    _cost("tokens", "https://docs.newapi.pro/en/api/token-usage", AT_COMETAPI,
          '"usage":{"completion_tokens":108900,"total_tokens":108900}', None),
    _cost("LiteLLM's seconds", f"{GITHUB}/BerriAI/litellm/issues/21907", "http://127.0.0.1:4000/v1/videos/task_v",
          '"usage":{"duration_seconds":8.0}', None),
    row("cost: LiteLLM's header, an estimate", f"{GITHUB}/BerriAI/litellm/issues/36483", "retrieve", 200,
        '{"id":"task_v","object":"video","status":"completed"}', job("done", charged_usd=None),
        url="http://127.0.0.1:4000/v1/videos/task_v", x_litellm_response_cost="0.0"),
    row("cost: from nowhere", NO_ADDRESS, "retrieve", 200,
        '{"id":"task_v","object":"video","status":"completed","usage":{"cost":1},"cost":1}',
        job("done", charged_usd=None)),
]  # fmt: skip
