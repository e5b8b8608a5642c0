"""The words that gateways use: states, places of a video's address, codes of errors, and texts where no code tells.

Data, and which code of ours stands for one of theirs; what follows from a word is decided in video_object.py (the video
object), responses.py (what a response means for the money) and error_body.py (how errors are wrapped). Each word was
seen (docs/gateway.md), with the address of most of them in tests/gateway/quirks.
"""

from __future__ import annotations

from typing import NamedTuple

from ..jobs.remote_video import Phase

PHASES: dict[str, Phase] = {
    **dict.fromkeys(
        [
            "queued", "pending", "submitted", "not_start", "notstarted", "not_started", "preparing", "created",
            "starting", "unknown", "in_queue", "queueing", "queuing", "waiting", "initializing",
        ],
        "waiting",
    ),
    **dict.fromkeys(["processing", "in_progress", "running", "generating", "rendering"], "running"),
    **dict.fromkeys(["completed", "complete", "success", "succeeded", "succeed", "finished", "done"], "done"),
    **dict.fromkeys(
        [
            "failed", "failure", "fail", "error", "cancelled", "canceled", "expired", "deleted", "violation",
            "rejected", "timeout", "aborted",
        ],
        "failed",
    ),
}  # fmt: skip
# Words with which a call fails, too, and not only a job.
WORDS_OF_CALLS = {"error", "fail", "rejected", "timeout", "aborted"}

STATE_KEYS = ("status", "task_status", "state")
ID_KEYS = ("id", "task_id", "video_id")
FINISH_KEYS = ("finish_time", "finished_at", "completed_at")
# What is wrapped around a job, and what is inside it; an error has ways of its own (error_body.py).
WRAPPERS = ("data", "task", "output", "result")


class ReportedCharge(NamedTuple):
    """Where a finished video object says what was charged for it: the keys that lead to the number, which is dollars
    times `per_usd`, in what `host`, or a host below it, answers."""

    host: str
    keys: tuple[str, ...]
    per_usd: float


# By host, since a gateway in the middle copies the fields of its upstream: CometAPI passes on what xAI would have
# charged, and charges less. Tokens, points, credits and quotas are no money; neither is LiteLLM's header, which is made
# before anything is rendered, and 0.0 where it knows no price.
CHARGES = (
    # openrouter.ai/docs/client-sdks/typescript/models/videogenerationusage.md: "cost of the video generation in USD"
    ReportedCharge("openrouter.ai", ("usage", "cost"), 1.0),
    # docs.x.ai/developers/cost-tracking.md: "exact cost you were charged", 1e10 ticks to the dollar
    ReportedCharge("api.x.ai", ("usage", "cost_in_usd_ticks"), 1e10),
    # docs.merge.dev/merge-gateway/api-overview/videos/retrieve.md: USD, "set once it completes"
    ReportedCharge("api-gateway.merge.dev", ("cost",), 1.0),
)
# Where OpenRouter says that the model's own provider charges the account holder, too ("bring your own key").
CHARGED_ELSEWHERE = ("usage", "is_byok")

# Where a job's images are listed, or its one image is named.
REFERENCE_KEYS = ("input_references", "reference_images", "references", "input_reference")

# Where the address of the finished video stands, in this order, at any depth (quirk 2).
ADDRESS_KEYS = (
    "video_url", "result_url", "content_url", "url", "video", "videos", "urls", "unsigned_urls", "download_url",
    "output", "output_video", "content", "result", "task_result", "metadata", "data", "task", "fail_reason",
    "remixed_from_video_id",
)  # fmt: skip

# Of these keys, those under which a path is the video's, at the gateway's own origin; elsewhere it may be anything.
PATH_KEYS = {key for key in ADDRESS_KEYS if "url" in key} | {"video", "videos", "output_video"}

# What gateways write where nothing is wrong, in `code` and in `message`.
ALL_IS_WELL = {"", "0", "success", "succeed", "succeeded", "successful", "ok", "accepted", "created", "none", "null"}

# Gateways' own codes of a filter that does not let a prompt, an image or the video itself through: "moderation_blocked"
# with us. The numbers are MiniMax's, of what goes in and of what comes out.
MODERATION = {"sensitive_words_detected", "datainspectionfailed", "data_inspection_failed", "1026", "1027"}
# Seedance's, of a text, an image, a video or its sound; with a dot it tells what it minds
# ("InputImageSensitiveContentDetected.PrivacyInformation").
MODERATION_ENDS = ("sensitivecontentdetected", "riskdetection")

# Other gateways' codes for a model that they do not offer: "model_not_found" with us.
NO_SUCH_MODEL = {"model_price_error", "model_not_priced", "model_price_not_configured"}

# A refusal that passes by itself: the same request may be sent again (quirk 5).
SATURATED = {
    "upstream_load_saturated", "rate_limit_exceeded", "rate_limit_error", "too_many_requests", "saturated",
    "video_queue_full", "throttling_error",
}  # fmt: skip

_EMPTY = "Top up the account at the gateway."
_UNSAFE = "Change the prompt or the reference; people's faces are often refused."
_BUSY = "The gateway is busy; run again in a while."

# Refusals that stay, whatever the status says: new-api writes its text for saturation over every 429, also over the
# one of an empty account.
LASTING = {
    "model_not_found": "The gateway does not serve this model (any more); choose another.",
    **dict.fromkeys(("insufficient_user_quota", "insufficient_quota", "pre_consume_token_quota_failed"), _EMPTY),
    "billing_not_active": "Check the account's balance and its billing at the gateway.",
    **dict.fromkeys(("moderation_blocked", "content_policy_violation", "prompt_unsafe"), _UNSAFE),
    "invalid_api_key": "Check the key.",
    "account_not_verified": "Verify the account at the gateway, or choose another model.",
    "wrong_reference": "Fit the reference to exactly the video's size, as PNG, JPEG or WebP.",
}
ADVICE = {
    **LASTING,
    **dict.fromkeys(SATURATED, _BUSY),
    "output_moderated": _UNSAFE,
    "task_not_exist": "The gateway does not know this id, or not yet.",
}
ADVICE_BY_STATUS = {
    400: "Change what was asked for; the gateway's own words say what it did not take.",
    401: "Check the key.",
    402: _EMPTY,
    403: "The key may not do this: check the key, its rights and the account's balance.",
    404: "Check the provider's base URL.",
    405: "Check the provider's base URL.",
    413: "The reference image is too large for the gateway.",
    429: _BUSY,
}

# Refusals that some gateways deliver with a 5xx (quirk 5): the code says that no job exists.
REFUSALS_AS_5XX = {
    "model_not_found", "invalid_request", "invalid_request_error", "insufficient_user_quota", "authentication_error",
    "pre_consume_token_quota_failed", "insufficient_quota", "moderation_blocked", "content_policy_violation",
    "prompt_unsafe", "sensitive_words_detected", "invalid_api_key", "permission_denied", "not_implemented",
    *NO_SUCH_MODEL, *SATURATED,
}  # fmt: skip

# A gateway's words for an upstream whose response it could not read: the create arrived there and may have been taken,
# whatever else such a response quotes.
PERHAPS_TAKEN = {
    "unmarshal_response_body_failed", "read_response_body_failed", "close_response_body_failed", "bad_response_body",
    "invalid_response", "do_request_failed",
}  # fmt: skip

# Codes that only say that something went wrong, or who says so: here the text may say more.
VAGUE = {
    "bad_request", "bad_response_status_code", "comet_api_error", "error", "fail_to_fetch_task", "failed", "failure",
    "internal_error", "internal_server_error", "invalid_request", "invalid_request_error", "new_api_error",
    "server_error", "unknown", "unknown_error", "upstream_error",
}  # fmt: skip
# new-api's words, in its two languages, where no channel of its own offers the model: said before anything is sent on.
NO_CHANNEL = ("no available channel", "无可用渠道")
# Texts (in lower case) that stand for a code, where the gateway gives none that says as much.
TEXTS = {
    "blocked by our moderation system": "moderation_blocked",  # quirk 10
    "blocked by content policy": "content_policy_violation",
    "sensitivecontentdetected": "moderation_blocked",
    "datainspectionfailed": "moderation_blocked",
    "may contain sensitive information": "moderation_blocked",
    "prompt_unsafe": "prompt_unsafe",
    "image_unsafe": "moderation_blocked",
    "video_unsafe": "moderation_blocked",
    "current status: violation": "output_moderated",  # CometAPI's, of a finished video that is not given out
    "must match the requested width and height": "wrong_reference",
    "must be verified to use the model": "account_not_verified",
    "invalid model name passed in model": "model_not_found",
    **dict.fromkeys(NO_CHANNEL, "model_not_found"),
    "has not been priced by the administrator": "model_not_found",
    "unsupported relay mode": "model_not_found",  # a model of another endpoint
    "上游负载已饱和": "upstream_load_saturated",
    "rate limit exceeded": "rate_limit_exceeded",
    "concurrent limit exceeded": "rate_limit_exceeded",
}
# With it new-api's content call says how a job stands that has no video: "…, current status: FAILURE".
STATUS_IN_WORDS = "current status:"
# A code that is not the whole truth: OpenAI hides a model from an account that is not verified, and says so in words.
TEXTS_BESIDE_CODES = {("model_not_found", "must be verified to use the model"): "account_not_verified"}

REQUEST_ID_HEADERS = (
    "x-cometapi-request-id", "x-request-id", "x-oneapi-request-id", "request-id", "llm_provider-x-request-id",
    "x-litellm-call-id", "cf-ray",
)  # fmt: skip
PACE_MS_HEADERS = ("retry-after-ms", "openai-poll-after-ms", "llm_provider-openai-poll-after-ms")
PACE_HEADERS = ("retry-after", "llm_provider-retry-after")
PACE_KEYS = ("retryAfter", "retry_after")  # in the body, seconds


def known_code(code: str) -> str:
    """The code of ours that a gateway's own stands for; where there is none, itself."""
    parts = code.lower().split(".")
    moderated = any(part in MODERATION or part.endswith(MODERATION_ENDS) for part in parts)
    if code.lower() in NO_SUCH_MODEL:
        return "model_not_found"
    return "moderation_blocked" if moderated else code
