"""Rows for what was seen beyond the facts: in the sources of servers, in vendors' pages and in public trackers."""

from __future__ import annotations

import json

from sora.errors import NotOffered

from .facts import HTML, LITELLM
from .rows import NO_ADDRESS, Row, film, ids, job, perhaps, refused, row, trouble

GITHUB = "https://github.com"
NEW_API = f"{GITHUB}/QuantumNous/new-api"
RELAY = f"{NEW_API}/blob/00fca48/relay/relay_task.go"
ARCREEL = f"{GITHUB}/ArcReel/ArcReel"
AGNES = f"{GITHUB}/lcy362/agnes-video-generator"
OMNI_SERVER = "https://pypi.org/project/vllm-omni/0.30.0/"
SGLANG = "https://pypi.org/project/sglang/0.5.23/"
COMET = "https://apidoc.cometapi.com"
BUSY = "当前分组上游负载已饱和，请稍后再试"
FAILED_INSIDE = (
    r"{\"id\":\"video_gen_1\",\"object\":\"video\",\"model\":\"Wan\",\"status\":\"failed\",\"progress\":0,"
    r"\"error\":{\"code\":500,\"message\":\"out of memory\"}}"
)

WORDS = [
    row(f"the word {word}", where, "retrieve", 200, json.dumps({"id": "task_v", "status": word}),
        job(phase, status=word.lower()))
    for word, phase, where in [
        ("notstarted", "waiting", NO_ADDRESS), ("NOT_START", "waiting", f"{ARCREEL}/pull/410"),
        ("in_queue", "waiting", NO_ADDRESS), ("queueing", "waiting", NO_ADDRESS), ("waiting", "waiting", NO_ADDRESS),
        ("SUBMITTED", "waiting", COMET), ("unknown", "waiting", f"{NEW_API}/issues/5045"),
        ("rendering", "running", NO_ADDRESS), ("In Progress", "running", NO_ADDRESS),
        ("dreaming", "running", NO_ADDRESS),
        ("Completed", "done", NO_ADDRESS), ("succeed", "done", NO_ADDRESS),
        ("done", "done", f"{GITHUB}/tigerowo/infinite-canvas/issues/39"),
        ("SUCCEEDED", "done", f"{ARCREEL}/issues/1888"),
        ("expired", "failed", f"{ARCREEL}/issues/651"), ("cancelled", "failed", f"{GITHUB}/ljquan/opentu/pull/262"),
        ("deleted", "failed", SGLANG), ("ERROR", "failed", COMET),
    ]
]  # fmt: skip


def _done(name: str, where: int | str, more: str, url: str = "https://cdn.example/a.mp4") -> Row:
    body = '{"id":"task_v","object":"video","status":"completed",' + more + "}"
    return row(f"address: {name}", where, "retrieve", 200, body, job("done", url=url))


PLACES = [
    _done("video.url", f"{GITHUB}/ddcat-ai/open-ai-canvas/issues/7", '"video":{"url":"https://cdn.example/a.mp4"}'),
    _done("video.url without a host", f"{GITHUB}/tigerowo/infinite-canvas/issues/39",
          '"video":{"duration":10,"url":"/v1/videos/task_v/content"}', ""),
    _done("result_url", f"{NEW_API}/issues/6993", '"result_url":"https://cdn.example/a.mp4","fail_reason":""'),
    _done("data.result_url", f"{ARCREEL}/issues/1888", '"data":{"result_url":"https://cdn.example/a.mp4"}'),
    _done("content_url", NO_ADDRESS, '"content_url":"https://cdn.example/a.mp4"'),
    _done("urls with a null first", SGLANG, '"url":null,"urls":[null,"https://cdn.example/a.mp4"]'),
    _done("urls with nothing but null", SGLANG, '"url":null,"urls":[null],"file_path":"/srv/outputs/a.mp4"', ""),
    _done("data.videos[0].url", NO_ADDRESS,
          '"data":{"videos":[{"url":"https://cdn.example/a.mp4"}]},"created_at":"2025-03-06T12:00:00Z"'),
    _done("content.video_url", f"{ARCREEL}/pull/241", '"content":{"video_url":"https://cdn.example/a.mp4"}'),
    _done("content.url", f"{GITHUB}/GizClaw/flowcraft/pull/455", '"content":{"url":"https://cdn.example/a.mp4"}'),
    _done("result.video_url", NO_ADDRESS, '"result":{"video_url":"https://cdn.example/a.mp4","status":"ok"}'),
    _done("output[]", NO_ADDRESS, '"output":["https://cdn.example/a.mp4","https://cdn.example/b.mp4"]'),
    _done("output[].url", NO_ADDRESS, '"output":[{"type":"video","url":"https://cdn.example/a.mp4"}]'),
    _done("remixed_from_video_id", f"{ARCREEL}/issues/937", '"remixed_from_video_id":"https://cdn.example/a.mp4"'),
    _done("an id in remixed_from_video_id", f"{ARCREEL}/issues/1505", '"remixed_from_video_id":"video_0"', ""),
    _done("data: is none", f"{NEW_API}/pull/1659", '"url":"data:video/mp4;base64,AAAA"', ""),
    _done("none at all", f"{GITHUB}/vercel/ai/issues/18929", '"seconds":"18.4"', ""),
    _done("the upstream's protected content", f"{GITHUB}/Wei-Shaw/sub2api/issues/4494",
          '"metadata":{"url":"https://up.example/v1/videos/t/content"}', "https://up.example/v1/videos/t/content"),
    row("address: task.content.url", f"{GITHUB}/MAX-API-Next/MAX-API/pull/49", "retrieve", 200,
        '{"task":{"id":"task_v","model":"MiniMax-H3","status":"succeeded","content":{"url":"https://cdn.example/a"},'
        '"error":{"code":"1026","message":"sensitive"}}}',
        job("done", id="task_v", url="https://cdn.example/a", complaint=None)),
]  # fmt: skip

OBJECTS = [
    row("created, as a task", f"{GITHUB}/MAX-API-Next/MAX-API/pull/49", "create", 200, '{"task":{"id":"4240109"}}',
        job("waiting", id="4240109")),
    row("created, a number as id", f"{NEW_API}/issues/1988", "create", 200, '{"task_id":4326796003218200779}',
        job("waiting", id="4326796003218200779")),
    row("created, id and video_id differ", f"{ARCREEL}/issues/1505", "create", 200,
        '{"id":"task_1","video_id":"video_2","status":"queued"}', job("waiting", id="task_1")),
    row("created, with HTTP 202", f"{GITHUB}/NVIDIA/TensorRT-LLM/pull/13635", "create", 202,
        '{"id":"video_1","object":"video","status":"queued","progress":0}', job("waiting", id="video_1")),
    row("created, request_id and a state", f"{GITHUB}/ddcat-ai/open-ai-canvas/issues/7", "create", 200,
        '{"request_id":"eEqy3T7r-_du4NKx","status":"pending"}', job("waiting", id="eEqy3T7r-_du4NKx")),
    row("created, request_id alone", f"{GITHUB}/ddcat-ai/open-ai-canvas/issues/7", "create", 200,
        '{"request_id":"eEqy3T7r-_du4NKx"}', perhaps(request_id="eEqy3T7r-_du4NKx")),
    row("a failure with a request_id is no job", f"{GITHUB}/ddcat-ai/open-ai-canvas/issues/7", "retrieve", 200,
        '{"request_id":"eEqy3T7r","status":"error","message":"try again"}', trouble(request_id="eEqy3T7r")),
    row("done, without an id", f"{GITHUB}/tigerowo/infinite-canvas/issues/39", "retrieve", 200,
        '{"model":"grok","progress":100,"status":"done","video":{"url":"https://cdn.example/a"}}',
        job("done", id="task_v", url="https://cdn.example/a")),
    row("no id, no model", f"{NEW_API}/issues/7194", "retrieve", 200,
        '{"created_at":1788400582,"fail_reason":"","finished_at":1788400867,"platform":"1","progress":"100%",'
        '"status":"SUCCESS","task_id":"task_v"}', job("done", progress=100.0, created_at=1788400582.0)),
    row("a moment in milliseconds", "https://docs.newapi.pro", "retrieve", 200,
        '{"id":"task_v","status":"queued","created_at":1788400582000}', job("waiting", created_at=1788400582.0)),
    row("a moment as a date", NO_ADDRESS, "retrieve", 200,
        '{"id":"task_v","status":"queued","created_at":"2025-03-06T12:00:00Z"}',
        job("waiting", created_at=1741262400.0)),
    row("a date without a zone", NO_ADDRESS, "retrieve", 200,
        '{"id":"task_v","status":"queued","created_at":"2025-03-06T12:00:00"}', job("waiting", created_at=None)),
    row("a fraction called a percentage", NO_ADDRESS, "retrieve", 200,
        '{"id":"task_v","status":"running","progress_pct":0.93}', job("running", progress=93.0)),
    row("queued for ever", f"{GITHUB}/AgnesAI-Labs/AgnesAI-Models/issues/45", "retrieve", 200,
        '{"id":"task_v","status":"queued","progress":0}', job("waiting", progress=0.0)),
    row("progress that jumps", f"{GITHUB}/AgnesAI-Labs/AgnesAI-Models/issues/72", "retrieve", 200,
        '{"id":"task_v","status":"in_progress","progress":30}', job("running", progress=30.0)),
    row("completed_at while it runs", RELAY, "retrieve", 200,
        '{"id":"task_v","task_id":"task_v","object":"video","status":"in_progress","progress":50,"completed_at":1}',
        job("running")),
    row("an empty success", RELAY, "retrieve", 200, '{"code":"success","data":null}', trouble()),
    row("an empty success at create", RELAY, "create", 200, '{"code":"success","data":null}', perhaps()),
    row("letters that no terminal takes", NO_ADDRESS, "retrieve", 200,
        r'{"id":"task_v","status":"failed","error":{"message":"a\u0000b\ud800"}}',
        job("failed", complaint=("", "ab?"))),
]  # fmt: skip

ENDED = [
    row("the failed job as JSON in the message", f"{GITHUB}/BerriAI/litellm", "retrieve", 500,
        LITELLM % ("InternalServerError", FAILED_INSIDE, "internal_server_error", 500),
        job("failed", id="task_v", complaint=("500", "out of memory"))),
    row("the failed job as JSON in the message, at create", f"{GITHUB}/BerriAI/litellm", "create", 400,
        LITELLM % ("BadRequestError", FAILED_INSIDE, "x", 400), job("failed", id="video_gen_1")),
    row("a running job as JSON in the message", f"{GITHUB}/BerriAI/litellm", "retrieve", 500,
        LITELLM % ("InternalServerError", FAILED_INSIDE.replace("failed", "in_progress"), "x", 500), trouble()),
    row("the failed job, whole, with HTTP 500", OMNI_SERVER, "retrieve", 500,
        '{"model":"Wan-AI/Wan2.2","prompt":"p","id":"task_v","object":"video","status":"failed","size":"1280x720",'
        '"progress":0,"error":{"code":500,"message":"out of memory"},"media_type":"video/mp4","fps":24.0}',
        job("failed", complaint=("500", "out of memory"), seconds="")),
    row("cancelled", f"{AGNES}/issues/47", "retrieve", 200,
        '{"id":"task_v","status":"failed","error":{"code":"cancelled","message":"job cancelled"}}',
        job("failed", complaint=("cancelled", "job cancelled"))),
    row("sensitive", f"{GITHUB}/MAX-API-Next/MAX-API/pull/49", "retrieve", 200,
        '{"task":{"id":"task_v","status":"failed","error":{"code":"1026","message":"sensitive content"}}}',
        job("failed", complaint=("1026", "sensitive content"))),
    row("moderated after minutes", f"{GITHUB}/vm0-ai/vm0/issues/30959", "retrieve", 200,
        '{"id":"task_v","object":"video","status":"failed","error":{"code":"moderation_blocked","message":"output"}}',
        job("failed", complaint=("moderation_blocked", "output"))),
    row("why beside the state", RELAY, "retrieve", 200,
        '{"code":"success","data":{"task_id":"task_v","status":"FAILURE","fail_reason":"no channel"}}',
        job("failed", complaint=("", "no channel"))),
    row("why in the object's message", NO_ADDRESS, "retrieve", 200,
        '{"id":"task_v","status":"failed","message":"dark","code":"E7"}', job("failed", complaint=("E7", "dark"))),
    row("an answer beside an error of the call", f"{GITHUB}/TheSmallHanCat/sora2api/issues/59", "create", 400,
        r'{"error":{"message":"API request failed: 400 - {\n  \"error\": {\"message\": \"odd\",'
        r' \"code\": \"sentinel_block\"}\n}","type":"server_error","code":null}}', refused("sentinel_block")),
]  # fmt: skip

CREATES = [
    row("the queue is full", f"{AGNES}/issues/63", "create", 503,
        '{"code":"video_queue_full","message":"video queue is full (request id: 2026070512)","data":null}',
        refused("video_queue_full", transient=True, request_id="2026070512")),
    row("saturated, in words alone", f"{GITHUB}/666ghj/BettaFish/issues/535", "create", 429,
        '{"error":{"message":"' + BUSY + ' (request id: 202601071246)","type":"new_api_error","code":null}}',
        refused("upstream_load_saturated", transient=True, request_id="202601071246")),
    row("saturated, in words, as HTTP 403", f"{NEW_API}/issues/991", "create", 403,
        '{"error":{"message":"' + BUSY + '","type":"new_api_error","code":""}}',
        refused("upstream_load_saturated", transient=True)),
    row("saturated, and a 404 behind it", f"{GITHUB}/WEIFENG2333/VideoCaptioner/issues/1120", "create", 429,
        '{"error":{"message":"' + BUSY + '","type":"upstream_error","param":"404","code":"bad_response_status_code"}}',
        refused("upstream_load_saturated", transient=True)),
    row("no balance that calls itself saturated", f"{GITHUB}/666ghj/BettaFish/issues/579", "create", 429,
        '{"error":{"message":"' + BUSY + '","type":"insufficient_quota","code":"insufficient_quota"}}',
        refused("insufficient_quota")),
    row("saturated, in words, as HTTP 502", f"{NEW_API}/issues/991", "create", 502,
        '{"error":{"message":"' + BUSY + '","type":"new_api_error","code":""}}', perhaps()),
    row("a rate limit in words", NO_ADDRESS, "create", 200,
        '{"code":2001,"msg":"Rate limit exceeded. Please slow down.","retryAfter":15}',
        refused("rate_limit_exceeded", transient=True, retry_after_s=15.0)),
    row("a rate limit of the minute", f"{GITHUB}/diegosouzapw/OmniRoute/issues/12175", "create", 429,
        '{"error":"rate limit exceeded: allows 2 requests / 1 minute"}',
        refused("rate_limit_exceeded", transient=True)),
    row("a model of its own limit", f"{GITHUB}/api7/aisix/pull/811", "create", 429,
        '{"error":{"message":"limit","code":"rate_limit_exceeded"}}',
        refused("rate_limit_exceeded", transient=True, retry_after_s=12.0), retry_after="12"),
    row("an upstream answer that could not be read", RELAY, "create", 500,
        r'{"code":"unmarshal_response_body_failed","message":"json: cannot unmarshal number, body: '
        r'{\"id\":7,\"error\":{\"code\":\"invalid_request\"}}","data":null}', perhaps()),
    row("an upstream answer without an id", RELAY, "create", 500,
        '{"code":"invalid_response","message":"task_id is empty","data":null}', perhaps()),
    row("the same with HTTP 400", RELAY, "create", 400, '{"code":"invalid_response","message":"empty"}', perhaps()),
    row("the same with HTTP 200", RELAY, "create", 200, '{"code":"invalid_response","message":"empty"}', perhaps()),
    row("an upstream that did not answer", RELAY, "create", 500,
        '{"code":"do_request_failed","message":"EOF","data":null}', perhaps(says="EOF")),
    row("a create that blocks and breaks", f"{ARCREEL}/issues/937", "create", 503, HTML, perhaps()),
    row("the upstream's refusal in a wrapper", RELAY, "create", 400,
        r'{"code":"fail_to_fetch_task","message":"{\"error\":{\"message\":\"size\",\"code\":\"invalid_size\"}}",'
        r'"data":null}', refused("invalid_size")),
    row("the upstream's text in a wrapper", f"{ARCREEL}/issues/747", "create", 400,
        '{"code":"fail_to_fetch_task","message":"Invalid JSON: \'utf-8\' codec can\'t decode byte 0xff"}',
        refused("fail_to_fetch_task", says="Invalid JSON")),
    row("a wrapper around nothing readable", RELAY, "create", 502,
        '{"code":"fail_to_fetch_task","message":"bad gateway","data":null}', perhaps()),
    row("JSON in the message of a 500", f"{GITHUB}/T8mars/Comfyui-zhenzhen/issues/3", "create", 500,
        r'{"error":{"message":"{\"error\":{\"message\":\"odd\",\"code\":\"\"}}","type":"new_api_error",'
        r'"code":"unknown_error"}}', perhaps(says="odd")),
    row("no balance, in dollars", f"{AGNES}/issues/34", "create", 403,
        '{"code":"insufficient_user_quota","message":"预扣费额度失败, 用户剩余额度: ＄0.100000","data":null}',
        refused("insufficient_user_quota", says="＄0.100000")),
    row("error as a plain string", f"{GITHUB}/tetsuo-ai/agenc-core/pull/2349", "create", 400,
        '{"code":"invalid-argument","error":"Teams must provide output.upload_url."}',
        refused("invalid-argument", says="upload_url")),
    row("no key, as a plain string", OMNI_SERVER, "create", 401, '{"error":"Unauthorized"}',
        refused("401", says="Unauthorized")),
    row("the scheduler is down", SGLANG, "create", 503, '{"error":"no scheduler"}', perhaps(says="no scheduler")),
    row("the model is another", OMNI_SERVER, "create", 400,
        '{"error":{"message":"Model mismatch","type":"Bad Request","param":null,"code":400}}',
        refused("Bad Request")),
    row("an unsafe prompt", NO_ADDRESS, "create", 451,
        '{"error":{"code":"prompt_unsafe","message":"no"}}',
        refused("prompt_unsafe")),
    row("a guardrail", f"{GITHUB}/api7/aisix/pull/811", "create", 422, '{"error":{"message":"blocked"}}',
        refused("422")),
    row("an account that is not verified", f"{GITHUB}/danny-avila/LibreChat/issues/7323", "create", 404,
        '{"error":{"message":"Your organization must be verified to use the model.","code":"model_not_found"}}',
        refused("model_not_found")),
    row("an account that is not verified, no code", f"{GITHUB}/danny-avila/LibreChat/issues/7323", "create", 403,
        '{"error":{"message":"Your organization must be verified to use the model `sora-2`.","code":null}}',
        refused("account_not_verified")),
    row("a reference of another size", 10, "create", 400,
        '{"error":{"message":"Inpaint image must match the requested width and height","code":null}}',
        refused("wrong_reference")),
    row("a deployment that is not there", f"{GITHUB}/MicrosoftLearning/mslearn-ai-vision/issues/81", "create", 404,
        '{"error":{"message":"The API deployment does not exist","type":"video_generation_user_error","code":null}}',
        refused("video_generation_user_error")),
    row("a wrong path", RELAY, "create", 404,
        '{"error":{"message":"Invalid URL (POST /v1/videos)","type":"invalid_request_error","param":"","code":""}}',
        refused("invalid_request_error", says="Invalid URL")),
    row("an error that has fields and nothing in them", RELAY, "create", 200,
        '{"id":"task_1","error":{"code":"","message":""}}', job("waiting", id="task_1")),
    row("an id beside a code that looks like an error's", NO_ADDRESS, "create", 200,
        '{"id":"task_1","code":1027,"message":"slow"}', perhaps(says="--video-id task_1`")),
]  # fmt: skip

POLLS = [
    row("not found", OMNI_SERVER, "retrieve", 404,
        '{"error":{"message":"Video not found","type":"Not Found","param":null,"code":404}}', trouble(http_status=404)),
    row("not found, a number as code", f"{GITHUB}/diegosouzapw/OmniRoute/issues/12175", "retrieve", 404,
        '{"error":{"code":404,"message":"task not found"}}', trouble(http_status=404, says="task not found")),
    row("the key has no access to a model without a name", f"{NEW_API}/issues/4641", "retrieve", 403,
        '{"error":{"message":"This token has no access to model  ","type":"new_api_error","code":""}}',
        trouble(transient=False, http_status=403)),
    row("the upstream's 400 while polling", f"{GITHUB}/Wei-Shaw/sub2api/issues/4546", "retrieve", 400,
        '{"error":{"message":"xAI upstream returned status 400","type":"invalid_request_error"}}',
        trouble(http_status=400)),
    row("500 exactly when it is completed", f"{GITHUB}/theopenco/llmgateway/pull/3506", "retrieve", 500,
        '{"error":{"message":"Internal Server Error"}}', trouble(http_status=500)),
    row("too many polls", f"{GITHUB}/diegosouzapw/OmniRoute/issues/12175", "retrieve", 429,
        '{"error":"rate limit exceeded: allows 2 requests / 1 minute"}', trouble(code="rate_limit_exceeded")),
    row("no list", RELAY, "list", 404,
        '{"error":{"message":"Invalid URL (GET /v1/videos)","type":"invalid_request_error"}}',
        trouble(http_status=404)),
    row("an empty list", f"{GITHUB}/openai/openai-openapi", "list", 200,
        '{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}', ids()),
    row("a list without its name", SGLANG, "list", 200, '[{"id":"a","status":"queued"}]', ids("a")),
]  # fmt: skip

CONTENTS = [
    row("still in progress", OMNI_SERVER, "content", 404, '{"detail":"Generation is still in-progress"}',
        trouble(http_status=404, says="still in-progress")),
    row("a failed job's content", OMNI_SERVER, "content", 422, '{"error":{"message":"failed"}}',
        trouble(http_status=422)),
    row("broken just after completion", f"{ARCREEL}/pull/237", "content", 502,
        '{"error":{"message":"Failed to fetch video content","type":"server_error"}}', trouble(http_status=502)),
    row("not ready after success", f"{ARCREEL}/pull/241", "content", 400, '{"code":"video_not_ready","message":"wait"}',
        trouble(http_status=400, code="video_not_ready")),
    row("it lies in the cloud", SGLANG, "content", 400,
        '{"detail":"Video has been uploaded to cloud storage. Please use the cloud URL: https://c.example/a?sig=s3cret"}',
        trouble(http_status=400, says="https://c.example/a?[hidden]")),
    row("an error called a film", f"{GITHUB}/BerriAI/litellm/pull/32602", "content", 200,
        '{"error":{"message":"Video is not ready yet"}}', trouble(kind=NotOffered), content_type="video/mp4"),
    row("no such provider", f"{GITHUB}/api7/aisix/pull/811", "content", 501, '{"error":{"message":"unsupported"}}',
        trouble(http_status=501)),
    row("a good key is refused by the relay", f"{GITHUB}/chenyme/grok2api/issues/884", "content", 401,
        '{"error":{"message":"no","code":"invalid_api_key"}}', trouble(transient=False, http_status=401)),
    row("a film called text", RELAY, "content", 200, b"\0\0\0\x18ftypisomfilm", film(), content_type="text/plain"),
]  # fmt: skip

ROWS = [*WORDS, *PLACES, *OBJECTS, *ENDED, *CREATES, *POLLS, *CONTENTS]
