"""Rows for jobs beyond those of docs/gateway.md: their words, addresses, ids, moments and ends."""

from __future__ import annotations

import json

from .places import (
    AGNES,
    ANYFAST,
    ARCREEL,
    COMET,
    COMET_KLING,
    CQT,
    GITHUB,
    GLOBALAI,
    HUAWEI,
    JIMMY,
    MODELSELL,
    NEW_API,
    OCTOPUS,
    OFOX,
    OMNI_SERVER,
    OPENROUTER,
    QIANFAN,
    QINIU,
    QINIU_KLING,
    RELAY,
    SGLANG,
)
from .rows import NO_ADDRESS, Row, job, perhaps, refused, row, trouble
from .told import LITELLM

FAILED_INSIDE = (
    r"{\"id\":\"video_gen_1\",\"object\":\"video\",\"model\":\"Wan\",\"status\":\"failed\",\"progress\":0,"
    r"\"error\":{\"code\":500,\"message\":\"out of memory\"}}"
)

WORDS = [
    row(f"the word {word}", where, "retrieve", 200, json.dumps({"id": "task_v", "status": word}),
        job(phase, status=word.lower()))
    for word, phase, where in [
        ("notstarted", "waiting", NO_ADDRESS), ("NOT_START", "waiting", f"{ARCREEL}/pull/410"),
        ("IN_QUEUE", "waiting", "https://www.rubydoc.info/gems/fal/Fal/Request/Status"),
        ("Queueing", "waiting", "https://platform.minimax.io/docs/api-reference/video-generation-query"),
        ("waiting", "waiting", "https://docs.kuaibaike.com/api-reference/task-status"),
        ("initializing", "waiting", QINIU_KLING),
        ("SUBMITTED", "waiting", COMET), ("unknown", "waiting", f"{NEW_API}/issues/5045"),
        ("rendering", "running", NO_ADDRESS), ("In Progress", "running", NO_ADDRESS),
        ("dreaming", "running", f"{GITHUB}/lumalabs/lumaai-api/blob/00422a1/openapi.yaml"),
        ("Completed", "done", QINIU), ("succeed", "done", COMET_KLING),
        ("done", "done", f"{GITHUB}/tigerowo/infinite-canvas/issues/39"),
        ("SUCCEEDED", "done", f"{ARCREEL}/issues/1888"),
        ("expired", "failed", f"{ARCREEL}/issues/651"), ("cancelled", "failed", f"{GITHUB}/ljquan/opentu/pull/262"),
        ("deleted", "failed", SGLANG), ("ERROR", "failed", COMET),
        ("VIOLATION", "failed", f"{GITHUB}/storytold/artcraft"), ("rejected", "failed", NO_ADDRESS),
        ("TIMEOUT", "failed", NO_ADDRESS), ("Aborted", "failed", NO_ADDRESS),
    ]
]  # fmt: skip


def _done(
    name: str, where: int | str | tuple[int | str, ...], more: str, url: str = "https://cdn.example/a.mp4"
) -> Row:
    body = '{"id":"task_v","object":"video","status":"completed",' + more + "}"
    return row(f"address: {name}", where, "retrieve", 200, body, job("done", url=url))


PLACES = [
    _done("video.url", f"{GITHUB}/ddcat-ai/open-ai-canvas/issues/7", '"video":{"url":"https://cdn.example/a.mp4"}'),
    _done("video.url without a host", f"{GITHUB}/tigerowo/infinite-canvas/issues/39",
          '"video":{"duration":10,"url":"/v1/videos/task_v/content"}', ""),
    _done("result_url", f"{NEW_API}/issues/6993", '"result_url":"https://cdn.example/a.mp4","fail_reason":""'),
    _done("data.result_url", f"{ARCREEL}/issues/1888", '"data":{"result_url":"https://cdn.example/a.mp4"}'),
    _done("content_url", MODELSELL, '"content_url":"https://cdn.example/a.mp4"'),
    _done("urls with a null first", SGLANG, '"url":null,"urls":[null,"https://cdn.example/a.mp4"]'),
    _done("urls with nothing but null", SGLANG, '"url":null,"urls":[null],"file_path":"/srv/outputs/a.mp4"', ""),
    _done("data.videos[0].url", QINIU,
          '"data":{"videos":[{"url":"https://cdn.example/a.mp4"}]},"created_at":"2025-03-06T12:00:00Z"'),
    _done("content.video_url", (f"{ARCREEL}/pull/241", "https://docs.aitoearn.cn/276402340d0"), '"content":{"video_url":"https://cdn.example/a.mp4"}'),
    _done("content.url", f"{GITHUB}/GizClaw/flowcraft/pull/455", '"content":{"url":"https://cdn.example/a.mp4"}'),
    _done("result.video_url", JIMMY, '"result":{"video_url":"https://cdn.example/a.mp4","status":"ok"}'),
    _done("output[]", MODELSELL, '"output":["https://cdn.example/a.mp4","https://cdn.example/b.mp4"]'),
    _done("output[] with nothing in it", MODELSELL, '"output":[{}],"content_url":"https://cdn.example/a.mp4"'),
    _done("unsigned_urls", (OPENROUTER, OFOX), '"unsigned_urls":["https://cdn.example/a.mp4"]'),
    _done("urls before unsigned_urls", OPENROUTER,
          '"unsigned_urls":["https://gateway.example/content"],"urls":["https://cdn.example/a.mp4"]'),
    _done("download_url", "https://docs.ai-stats.phaseo.app/v1/api-reference/endpoint/video-status",
          '"download_url":"https://cdn.example/a.mp4"'),
    _done("task_result.videos[0].url", (QINIU_KLING, COMET_KLING),
          '"remixed_from_video_id":"","task_result":{"videos":[{"id":"video_7","url":"https://cdn.example/a.mp4"}]}'),
    _done("content.result_url", HUAWEI, '"content":{"result_url":"https://cdn.example/a.mp4"}'),
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
    row("a moment in milliseconds", HUAWEI, "retrieve", 200,
        '{"id":"task_v","status":"queued","created_at":1788400582000}', job("waiting", created_at=1788400582.0)),
    row("a moment as a date", QINIU, "retrieve", 200,
        '{"id":"task_v","status":"queued","created_at":"2025-03-06T12:00:00Z"}',
        job("waiting", created_at=1741262400.0)),
    row("a date without a zone", NO_ADDRESS, "retrieve", 200,
        '{"id":"task_v","status":"queued","created_at":"2025-03-06T12:00:00"}', job("waiting", created_at=None)),
    row("created instead of created_at", GLOBALAI, "retrieve", 200,
        '{"id":"task_v","object":"video.generation","created":1761635478,"model":"sora-2","status":"processing",'
        '"video_url":null,"error":null}', job("running", created_at=1761635478.0, url="")),
    row("the call is well and the task is not over", QIANFAN, "retrieve", 200,
        '{"log_id":"as-gr04iga5sh","status":"success","task":{"id":"task_v","status":"running"}}',
        job("running", id="task_v")),
    row("a detail that is no error's", OCTOPUS, "retrieve", 200,
        '{"id":"task_v","object":"video","status":"pending","detail":{"input":{"prompt":"p"}}}', job("waiting")),
    row("created, with a detail that is no error's", OCTOPUS, "create", 200,
        '{"id":"sora-2:task_1","object":"video","status":"pending","detail":{"input":{"prompt":"p"}}}',
        job("waiting", id="sora-2:task_1")),
    row("created, with an error that is a sample's", "https://apifox.newapi.ai/224072268d0", "create", 200,
        '{"task_id":"abcd1234efgh","status":"queued","error":{"code":0,"message":"string"}}',
        job("waiting", id="abcd1234efgh")),
    row("created, the call's number beside the job", "https://openai-next.apifox.cn/194911457d0", "create", 200,
        '{"request_id":"4909100c-7b5a","output":{"task_id":"0385dc79","task_status":"PENDING"}}',
        job("waiting", id="0385dc79", request_id="4909100c-7b5a")),
    row("created, and a large code says that all is well", JIMMY, "create", 200,
        '{"code":"20000","msg":"ok","data":{"task_id":"task_1"}}', job("waiting", id="task_1")),
    row("created, with a prompt that was cut inside a letter", f"{ARCREEL}/issues/747", "create", 200,
        b'{"id":"task_1","object":"video","status":"queued","prompt":"a boat \xe6\xb9"}',
        job("waiting", id="task_1", prompt="a boat \N{REPLACEMENT CHARACTER}")),
    row("an id with a colon, in capitals and with the address beside it", ANYFAST, "retrieve", 200,
        '{"id":"sora-2:task_01k7","object":"video","status":"completed","progress":100,"size":"small",'
        '"url":"https://cdn.example/a.mp4","video_url":"https://cdn.example/a.mp4"}',
        job("done", id="sora-2:task_01k7", url="https://cdn.example/a.mp4", size="small")),
    row("a fraction called a percentage", f"{GITHUB}/TheSmallHanCat/sora2api/issues/38", "retrieve", 200,
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
        job("failed", complaint=("moderation_blocked", "1026: sensitive content"))),
    row("moderated, its own film", f"{GITHUB}/vm0-ai/vm0/issues/30959", "retrieve", 200,
        '{"id":"task_v","status":"failed","error":{"message":"The request failed because the output video may contain '
        'sensitive information. Request id: 0217882536596960"}}',
        job("failed", request_id="0217882536596960", complaint=("moderation_blocked",
            "The request failed because the output video may contain sensitive information. "
            "Request id: 0217882536596960"))),
    row("moderated, its own sound", f"{GITHUB}/Comfy-Org/ComfyUI/issues/13883", "retrieve", 200,
        '{"id":"cgt-20260514101521-nk5ct","model":"dreamina-seedance-2-0-260128","status":"failed","error":{"code":'
        '"OutputAudioSensitiveContentDetected","message":"The request failed because the output audio may contain '
        'sensitive information."},"generate_audio":true}',
        job("failed", complaint=("moderation_blocked", "OutputAudioSensitiveContentDetected: The request failed "
            "because the output audio may contain sensitive information."))),
    row("moderated, with a point behind the code", f"{GITHUB}/openstory-so/openstory/issues/1680", "retrieve", 200,
        '{"id":"task_v","status":"failed","error":{"code":"InputImageSensitiveContentDetected.PrivacyInformation",'
        '"message":"face"}}',
        job("failed", complaint=("moderation_blocked", "InputImageSensitiveContentDetected.PrivacyInformation: face"))),
    row("moderated, the code in the words", f"{GITHUB}/openstory-so/openstory/pull/1691", "retrieve", 200,
        '{"id":"task_v","status":"failed","error":{"message":"AudioSensitiveContentDetected.PolicyViolation: no"}}',
        job("failed", complaint=("moderation_blocked", "AudioSensitiveContentDetected.PolicyViolation: no"))),
    row("moderated, the code with the upstream's answer", NO_ADDRESS, "retrieve", 200,
        '{"code":"success","data":{"task_id":"task_v","status":"FAILURE","fail_reason":"task failed","data":{"error":'
        '{"code":"OutputVideoSensitiveContentDetected","message":"no"}}}}',
        job("failed", id="task_v", complaint=("moderation_blocked", "OutputVideoSensitiveContentDetected: no"))),
    row("failed, and nothing more", NO_ADDRESS, "retrieve", 200, '{"status":"failed","progress":0}',
        job("failed", id="task_v", complaint=None)),
    row("a call that timed out, and nothing of the job", NO_ADDRESS, "retrieve", 200, '{"status":"timeout"}',
        trouble()),
    row("cancelled, and nothing more", NO_ADDRESS, "retrieve", 200, '{"status":"cancelled"}',
        job("failed", id="task_v", status="cancelled")),
    row("expired, and nothing more", NO_ADDRESS, "retrieve", 200, '{"status":"expired"}', job("failed", id="task_v")),
    row("a FAILURE in a wrapper, and nothing more", NO_ADDRESS, "retrieve", 200,
        '{"code":"success","message":"","data":{"status":"FAILURE","progress":"100%","fail_reason":""}}',
        job("failed", id="task_v", complaint=None)),
    row("failed, and the call is denied", NO_ADDRESS, "retrieve", 200,
        '{"success":false,"status":"failed","message":"try again"}', trouble(http_status=200)),
    row("failed, and a code of the call", NO_ADDRESS, "retrieve", 200,
        '{"code":500,"status":"failed","message":"internal"}', trouble(http_status=200)),
    row("an error, and nothing more", NO_ADDRESS, "retrieve", 200, '{"status":"error","message":"upstream away"}',
        trouble(http_status=200)),
    row("why beside the state", RELAY, "retrieve", 200,
        '{"code":"success","data":{"task_id":"task_v","status":"FAILURE","fail_reason":"no channel"}}',
        job("failed", complaint=("", "no channel"))),
    row("why in error_message", JIMMY, "retrieve", 200,
        '{"code":"20000","msg":"ok","data":{"task_id":"task_v","status":"failed","error_message":"dark"}}',
        job("failed", complaint=("", "dark"))),
    row("a state that only words tell", CQT, "retrieve", 200,
        '{"id":"task_v","status":"failed","error":{"code":451,"message":"video_unsafe"}}',
        job("failed", complaint=("moderation_blocked", "video_unsafe"))),
    row("why in the object's message", NO_ADDRESS, "retrieve", 200,
        '{"id":"task_v","status":"failed","message":"dark","code":"E7"}', job("failed", complaint=("E7", "dark"))),
    row("an answer beside an error of the call", f"{GITHUB}/TheSmallHanCat/sora2api/issues/59", "create", 400,
        r'{"error":{"message":"API request failed: 400 - {\n  \"error\": {\"message\": \"odd\",'
        r' \"code\": \"sentinel_block\"}\n}","type":"server_error","code":null}}', refused("sentinel_block")),
]  # fmt: skip

ROWS = [*WORDS, *PLACES, *OBJECTS, *ENDED]
