"""Rows for every quirk of docs/gateway.md."""

from __future__ import annotations

from sora_jobs.errors import NotOfferedError

from .places import NEW_API, OFOX, OPENROUTER
from .rows import film, ids, job, perhaps, refused, row, trouble

HTML = b"<!DOCTYPE html>\n<html><head><title>502</title></head><body>Bad Gateway</body></html>"
LITELLM = (
    '{"error":{"message":"litellm.%s: OpenAIException - %s\\n\\nLiteLLM: model group \'sora-2\' failed with the error'
    ' above. No fallback was attempted.","type":"%s","param":null,"code":"%d"}}'
)
BLOCKED = (
    "Your request was blocked by our moderation system when checking inputs. "
    "Possible reasons: people-in-user-uploads"
)  # fmt: skip

PROGRESS = [
    row("percent in text", 1, "retrieve", 200, '{"id":"task_v","status":"in_progress","progress":"45%"}',
        job("running", progress=45.0)),
    row("progress as text", 1, "retrieve", 200, '{"id":"task_v","status":"in_progress","progress":" 7 "}',
        job("running", progress=7.0)),
    row("progress missing", 1, "retrieve", 200, '{"id":"task_v","status":"queued"}', job("waiting", progress=None)),
    row("progress null, length and size empty", 1, "retrieve", 200,
        '{"id":"task_v","status":"queued","progress":null,"seconds":"","size":null}',
        job("waiting", progress=None, seconds="", size="")),
    row("progress beyond its end", 1, "retrieve", 200, '{"id":"task_v","status":"in_progress","progress":"400"}',
        job("running", progress=100.0)),
    row("progress below nothing", 1, "retrieve", 200, '{"id":"task_v","status":"in_progress","progress":-1}',
        job("running", progress=0.0)),
    row("progress that is none", 1, "retrieve", 200, '{"id":"task_v","status":"in_progress","progress":{"step":3}}',
        job("running", progress=None)),
    row("progress at its end, still running", 1, "retrieve", 200,
        '{"id":"task_v","status":"in_progress","progress":100}', job("running", progress=100.0)),
    row("odd size, length as a number", 1, "retrieve", 200,
        '{"id":"task_v","status":"queued","seconds":8,"size":"16x9"}', job("waiting", seconds="8", size="16x9")),
]  # fmt: skip

WRAPPED = [
    row("wrapped", 2, "retrieve", 200,
        '{"code":"success","message":"","data":{"task_id":"task_v","status":"SUCCESS","progress":"100%"}}',
        job("done", id="task_v", progress=100.0)),
    row("wrapped twice", 2, "retrieve", 200,
        '{"code":0,"message":"ok","data":{"code":200,"data":{"id":"task_v","status":"NOT_START"}}}',
        job("waiting", id="task_v")),
    row("wrapped in a list", 2, "retrieve", 200, '{"data":[{"id":"task_v","status":"processing"}]}', job("running")),
    row("failure with a reason around a running job", (2, f"{NEW_API}/issues/5715"), "retrieve", 200,
        '{"code":"success","data":{"task_id":"task_v","status":"FAILURE","fail_reason":"upstream","data":'
        '{"id":"cgt-1","status":"running"}}}', job("failed", id="task_v", complaint=("", "upstream"))),
    row("failure with a reason and an end", (2, f"{NEW_API}/issues/5715"), "retrieve", 200,
        '{"code":"success","message":"","data":{"task_id":"task_v","status":"FAILURE","fail_reason":"task timeout",'
        '"submit_time":1788400582,"start_time":1788400590,"finish_time":1788404182,"progress":"100%","data":'
        '{"id":"cgt-1","status":"IN_PROGRESS","progress":30}}}',
        job("failed", id="task_v", complaint=("", "task timeout"))),
    row("failure with an end alone", (2, f"{NEW_API}/issues/5715"), "retrieve", 200,
        '{"code":"success","data":{"task_id":"task_v","status":"FAILURE","fail_reason":"","finish_time":1788404182,'
        '"data":{"status":"processing"}}}', job("failed", id="task_v", complaint=None)),
    row("failure without a reason or an end", 2, "retrieve", 200,
        '{"code":"success","data":{"task_id":"task_v","status":"FAILURE","fail_reason":"","finish_time":0,"data":'
        '{"status":"processing"}}}', job("running", id="task_v")),
    row("failure around a finished video", 2, "retrieve", 200,
        '{"task_id":"task_v","status":"FAILURE","fail_reason":"no room","data":{"status":"succeeded","content":'
        '{"video_url":"https://cdn.example/a.mp4"}}}', job("done", url="https://cdn.example/a.mp4", complaint=None)),
    row("failure around an end without a video", 2, "retrieve", 200,
        '{"task_id":"task_v","status":"FAILURE","fail_reason":"no room","data":{"status":"succeeded","content":{}}}',
        job("failed", complaint=("", "no room"))),
    row("success with an address around a running job", 2, "retrieve", 200,
        '{"code":"success","data":{"task_id":"task_v","status":"SUCCESS","fail_reason":"https://cdn.example/a.mp4",'
        '"data":{"id":"cgt-1","status":"running"}}}', job("done", id="task_v", url="https://cdn.example/a.mp4")),
    row("success with an address around a failed job", 2, "retrieve", 200,
        '{"task_id":"task_v","status":"SUCCESS","result_url":"https://cdn.example/a.mp4","data":{"status":"failed"}}',
        job("done", url="https://cdn.example/a.mp4", complaint=None)),
    row("success with an end around a running job", 2, "retrieve", 200,
        '{"task_id":"task_v","status":"SUCCESS","finish_time":1788404182,"data":{"status":"running"}}', job("done")),
    row("success of the call around a running job with a picture", 2, "retrieve", 200,
        '{"status":"success","data":{"task_id":"task_v","status":"running","output":"https://cdn.example/first.jpg"}}',
        job("running", id="task_v")),
    row("a failed call around a running job", 2, "retrieve", 200,
        '{"status":"error","fail_reason":"busy","data":{"task_id":"task_v","status":"running"}}',
        job("running", id="task_v")),
    row("failure around a word that nobody knows", 2, "retrieve", 200,
        '{"task_id":"task_v","status":"FAILURE","data":{"status":"archiving"}}', job("running", status="archiving")),
    row("success around a word that nobody knows", 2, "retrieve", 200,
        '{"task_id":"task_v","status":"SUCCESS","data":{"status":"archived"}}', job("done", status="success")),
    row("address in fail_reason", 2, "retrieve", 200,
        '{"code":"success","data":{"task_id":"task_v","status":"SUCCESS","fail_reason":"https://cdn.example/a.mp4"}}',
        job("done", url="https://cdn.example/a.mp4", complaint=None)),
    row("address in metadata.url", 2, "retrieve", 200,
        '{"id":"task_v","status":"completed","metadata":{"url":"https://cdn.example/a.mp4?sig=1"}}',
        job("done", url="https://cdn.example/a.mp4?sig=1")),
    row("address in url", 2, "retrieve", 200, '{"id":"task_v","status":"completed","url":"https://cdn.example/a"}',
        job("done", url="https://cdn.example/a")),
    row("address in output", 2, "retrieve", 200,
        '{"id":"task_v","status":"completed","output":"https://cdn.example/a.mp4"}',
        job("done", url="https://cdn.example/a.mp4")),
    row("address in output_video", 2, "retrieve", 200,
        '{"id":"task_v","status":"completed","output_video":["https://cdn.example/a.mp4"]}',
        job("done", url="https://cdn.example/a.mp4")),
    row("what is no address", 2, "retrieve", 200,
        '{"id":"task_v","status":"completed","url":"file:///etc/passwd","video_url":"http://[bad","output":"a b"}',
        job("done", url="")),
    row("created, wrapped", 2, "create", 200, '{"code":"success","message":"","data":{"task_id":"task_1"}}',
        job("waiting", id="task_1")),
    row("created, the id alone", 2, "create", 200, '{"code":"success","data":"task_1"}', job("waiting", id="task_1")),
    row("created, wrapped in a success of the call", 2, "create", 200, '{"status":"success","data":{"task_id":"t-1"}}',
        job("waiting", id="t-1")),
    row("created, its number beside its id", 2, "create", 200,
        '{"code":"success","data":{"id":4711,"task_id":"task_1","status":"NOT_START"}}', job("waiting", id="task_1")),
]  # fmt: skip

ACCEPTED = [
    row("an error with HTTP 200 and no id", 3, "create", 200, '{"error":{"message":"no such size","code":"bad_size"}}',
        refused("bad_size", says="no such size")),
    row("a failed call with HTTP 200", 3, "create", 200, '{"success":false,"message":"no such model"}',
        refused("200")),
    row("HTTP 202 with a polling_url", (3, OPENROUTER, OFOX), "create", 202,
        '{"id":"task_1","status":"pending","polling_url":"https://gateway.example/api/v1/videos/task_1"}',
        job("waiting", id="task_1", url="")),
    row("HTTP 202 without an id", 3, "create", 202, '{"status":"queued"}', perhaps()),
    row("HTTP 200 with nothing", 3, "create", 200, b"", perhaps()),
    row("a page while polling", 3, "retrieve", 200, HTML, trouble(http_status=200)),
    row("a page at create", 3, "create", 200, HTML, perhaps()),
    row("a page instead of the list", 3, "list", 200, HTML, trouble()),
]  # fmt: skip

FAILED = [
    row("the failed job with HTTP 400", 4, "retrieve", 400,
        '{"id":"task_v","object":"video","model":"sora-2","status":"failed","error":{"code":1027,"message":"dark"}}',
        job("failed", complaint=("moderation_blocked", "1027: dark"))),
    row("the failed job with HTTP 500", 4, "retrieve", 500,
        '{"id":"video_gen_1","object":"video","status":"failed","error":{"code":500,"message":"out of memory"}}',
        job("failed", complaint=("500", "out of memory"))),
    row("the failed job at create", 4, "create", 400,
        '{"id":"video_1","object":"video","model":"sora-2","status":"failed","error":{"code":400,"message":"no"}}',
        job("failed", id="video_1")),
    row("error as text", 4, "retrieve", 200, '{"id":"task_v","status":"failed","error":"too dark"}',
        job("failed", complaint=("", "too dark"))),
    row("a code without words", 4, "retrieve", 200, '{"id":"task_v","status":"failed","error":{"code":1026}}',
        job("failed", complaint=("moderation_blocked", "1026"))),
]  # fmt: skip

CODES = [
    row("no such model", 5, "create", 503,
        '{"error":{"message":"no channel (request id: 20260521174921838)","type":"new_api_error",'
        '"code":"model_not_found"}}',
        refused("model_not_found", request_id="20260521174921838")),
    row("wrong request as HTTP 500", 5, "create", 500,
        '{"error":{"message":"seconds","type":"comet_api_error","param":"","code":"invalid_request"}}',
        refused("invalid_request")),
    row("saturated as HTTP 403", 5, "create", 403,
        '{"error":{"message":"{\\"error\\":{\\"message\\":\\"busy\\",\\"code\\":\\"upstream_load_saturated\\"}}",'
        '"type":"upstream_error","code":"bad_response_status_code"}}',
        refused("upstream_load_saturated", transient=True)),
    row("saturated as HTTP 403 while polling", 5, "retrieve", 403,
        '{"error":{"message":"busy","code":"upstream_load_saturated"}}', trouble(http_status=403)),
    row("no balance", 5, "create", 403, '{"code":"insufficient_user_quota","message":"quota","data":null}',
        refused("insufficient_user_quota")),
    row("no balance, before consumption", 5, "create", 403,
        '{"error":{"message":"quota","type":"new_api_error","code":"pre_consume_token_quota_failed"}}',
        refused("pre_consume_token_quota_failed")),
    row("no balance as HTTP 402", 5, "create", 402, '{"detail":"Payment required"}', refused("402")),
    row("unknown task, perhaps early", 5, "retrieve", 400,
        '{"code":"task_not_exist","message":"task_not_exist","data":null}',
        trouble(code="task_not_exist", http_status=400)),
    row("unknown task with HTTP 200", 5, "retrieve", 200,
        '{"code":"task_not_exist","message":"task_not_exist","data":null}',
        trouble(code="task_not_exist", http_status=200, is_unknown_job=True)),
    row("a 5xx without a readable no", 5, "create", 500, '{"error":{"message":"oops","type":"server_error"}}',
        perhaps(says="oops")),
    row("a gateway that gave up waiting", 5, "create", 504, '{"error":{"message":"late","code":"invalid_request"}}',
        perhaps()),
    row("a failed call as HTTP 500", 5, "create", 500, '{"status":"error","message":"upstream timeout"}', perhaps()),
    row("too many requests", 5, "create", 429, b"", refused("429", transient=True, retry_after_s=7.0), retry_after="7"),
]  # fmt: skip

ENVELOPES = [
    row("OpenAI's envelope", 6, "create", 400,
        '{"error":{"message":"Unknown parameter","type":"invalid_request_error","param":"n","code":"unknown"}}',
        refused("unknown", says="n: Unknown parameter")),
    row("a flat envelope", 6, "create", 400, '{"code":"invalid_size","message":"size","data":null}',
        refused("invalid_size")),
    row("JSON inside the message, twice", 6, "create", 400,
        r'{"error":{"message":"{\"error\":{\"message\":\"{\\\"error\\\":{\\\"message\\\":\\\"deep\\\",'
        r'\\\"code\\\":\\\"invalid_prompt\\\"}}\",\"code\":\"\"}}","type":"x","code":""}}',
        refused("invalid_prompt", says="deep")),
    row("JSON inside the message that says nothing", 6, "create", 400,
        r'{"error":{"message":"upstream: {\"trace\":7}","code":""}}', refused("400", says="upstream: {")),
    row("FastAPI's text", 6, "create", 400, '{"detail":"prompt is required"}',
        refused("400", says="prompt is required")),
    row("FastAPI's list", 6, "create", 422,
        '{"detail":[{"type":"int_parsing","loc":["body","seconds"],"msg":"Input should be an integer","input":"x"}]}',
        refused("int_parsing", says=", int_parsing): seconds: Input should be an integer.")),
    row("FastAPI's list of several", 6, "create", 422,
        '{"detail":[{"type":"missing","loc":["body","prompt"],"msg":"Field required"},{"type":"int_parsing",'
        '"loc":["body","options",0,"fps"],"msg":"Input should be an integer"},{"loc":[],"msg":"odd"},3]}',
        refused("missing", says="prompt: Field required; options.0.fps: Input should be an integer; odd")),
    row("errors by the names of fields", 6, "create", 422,
        '{"message":"Invalid.","errors":{"seconds":["must be 4, 8 or 12"],"size":["is odd","is large"],"x":[],"y":1}}',
        refused("422", says="(HTTP 422): seconds: must be 4, 8 or 12; size: is odd; size: is large.")),
    row("a list of errors, each with its field", 6, "create", 422,
        '{"errors":[{"field":"seconds","message":"must be 4"}]}', refused("422", says="seconds: must be 4.")),
    row("a list of errors that are texts", 6, "create", 422,
        '{"errors":["seconds must be 4","size is odd"]}', refused("422", says=": seconds must be 4; size is odd.")),
    row("Zod's issues", 6, "create", 400,
        '{"success":false,"error":{"name":"ZodError","issues":[{"code":"invalid_type","path":["images",0],"message":'
        '"Required"}]}}', refused("400", says="(HTTP 400): images.0: Required.")),
    row("more errors than are told", 6, "create", 422,
        '{"errors":{"a":["1","2","3","4","5"],"b":["6"]}}', refused("422", says="a: 1; a: 2; a: 3; a: 4.")),
    row("errors of an upstream that may have taken it", 6, "create", 500,
        '{"errors":{"seconds":["must be 4"]}}', perhaps()),
    row("a field that the text names already", 6, "create", 400,
        '{"error":{"message":"seconds must be 4","param":"seconds","code":"bad"}}',
        refused("bad", says=", bad): seconds must be 4.")),
    row("a param that is none", 6, "create", 400,
        '{"error":{"message":"odd","param":"None","code":"bad"}}', refused("bad", says=", bad): odd.")),
    row("a request id inside the message", 6, "create", 400,
        '{"error":{"message":"bad (request id: 2026112500-aBc)","code":""}}',
        refused("400", request_id="2026112500-aBc")),
    row("a request id in the body", 6, "create", 400, '{"error":{"message":"bad","request_id":"req_12345"}}',
        refused("400", request_id="req_12345")),
    row("a request id in a header", 6, "create", 400, '{"error":{"message":"bad"}}',
        refused("400", request_id="oneapi-1"), x_oneapi_request_id="oneapi-1"),
]  # fmt: skip

PATHS = [
    row("a wrong base URL redirects", 7, "create", 301, HTML, refused("301", says="another address"),
        location="https://www.example/"),
    row("a wrong base URL shows a page", 7, "create", 404, HTML, refused("404")),
    row("a wrong base URL redirects polls", 7, "retrieve", 301, HTML, trouble(http_status=301)),
    row("a redirect to what was made", 7, "create", 303, b"", perhaps(), location="/v1/videos/task_1"),
]  # fmt: skip

CONTENT = [
    row("the film", 8, "content", 200, b"\0\0\0\x18ftypmp42film", film(), content_type="video/mp4"),
    row("not ready", 8, "content", 404, '{"error":{"message":"Video is not ready yet"}}', trouble(http_status=404)),
    row("not completed", 8, "content", 400,
        '{"error":{"message":"Task is not completed yet, current status: IN_PROGRESS","type":"x"}}',
        trouble(http_status=400, says="not completed yet")),
    row("no such call", 8, "content", 405, '{"detail":"Method Not Allowed"}',
        trouble(transient=False, http_status=405)),
    row("a good key is refused", 8, "content", 401, '{"error":{"message":"no","code":"invalid_api_key"}}',
        trouble(transient=False, http_status=401)),
    row("JSON instead of a film", 8, "content", 200, '{"error":{"message":"expired"}}', trouble(kind=NotOfferedError)),
    row("a page instead of a film", 8, "content", 200, HTML, trouble(kind=NotOfferedError)),
    row("a redirect to nowhere", 8, "content", 302, b"", trouble(kind=NotOfferedError, transient=False),
        location="https://[nowhere/"),
    row("a redirect to a place that is not https", 8, "content", 302, b"",
        trouble(kind=NotOfferedError, transient=False), location="ftp://cdn.example/a.mp4"),
    row("an address on another host", 9, "retrieve", 200,
        '{"id":"task_v","status":"completed","video_url":"https://cdn.elsewhere.example/a.mp4?sig=s"}',
        job("done", url="https://cdn.elsewhere.example/a.mp4?sig=s")),
]  # fmt: skip

MODERATION = [
    row("moderation at create", 10, "create", 400,
        '{"error":{"message":"' + BLOCKED + '","type":"invalid_request_error","param":null,"code":null}}',
        refused("moderation_blocked", says="people-in-user-uploads")),
    row("moderation at the job", 10, "retrieve", 200,
        '{"id":"task_v","object":"video","status":"failed","error":{"code":"moderation_blocked","message":"a face"}}',
        job("failed", complaint=("moderation_blocked", "a face"))),
    row("moderation at the job, in words alone", 10, "retrieve", 200,
        '{"id":"task_v","status":"failed","error":{"message":"' + BLOCKED + '"}}',
        job("failed", complaint=("moderation_blocked", BLOCKED))),
]  # fmt: skip

LITELLM_ID = "video_" + "bGl0ZWxsbTpjdXN0b21fbGxtX3Byb3ZpZGVyOm9wZW5haTttb2RlbF9pZDpzb3JhLTI7" * 3 + "+/=="
QUOTED = r"{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"code\":%s}}"
PROXIES = [
    row("a long id with signs in it", 11, "create", 200,
        '{"id":"' + LITELLM_ID + '","object":"video","status":"queued","created_at":1,"completed_at":null,'
        '"error":null,"progress":0,"remixed_from_video_id":null,"seconds":"4","model":"sora-2","usage":{}}',
        job("waiting", id=LITELLM_ID, created_at=None)),
    row("another id at retrieve", 11, "retrieve", 200,
        '{"id":"' + LITELLM_ID + '","object":"video","status":"failed","error":{"code":"x","message":"m"},'
        '"model":"sora-2","usage":null}', job("failed", complaint=("x", "m"))),
    row("the real code is in the message", 11, "create", 400,
        LITELLM % ("BadRequestError", QUOTED % ("size", "invalid_request_error", r"\"invalid_size\""), "x", 400),
        refused("invalid_size", says="size")),
    row("no such model, through the proxy", 11, "create", 503,
        LITELLM % ("ServiceUnavailableError", QUOTED % ("gone", "x", r"\"model_not_found\""), "y", 503),
        refused("model_not_found")),
    row("what it does not understand may be three jobs", 11, "create", 500,
        '{"error":{"message":"litellm.APIError: 1 validation error for VideoObject\\nid\\n  Field required",'
        '"type":"internal_server_error","param":null,"code":"500"}}', perhaps()),
    row("the pace under the provider's name", 11, "retrieve", 429,
        LITELLM % ("RateLimitError", QUOTED % ("slow", "rate_limit_error", "null"), "throttling_error", 429),
        trouble(retry_after_s=3.0, request_id="req_up"), llm_provider_retry_after="3",
        llm_provider_x_request_id="req_up"),
    row("the poll pace under the provider's name", 11, "retrieve", 502, b"", trouble(retry_after_s=1.5),
        llm_provider_openai_poll_after_ms="1500"),
    row("a list that it cannot give", 11, "list", 400,
        '{"error":{"message":"litellm.BadRequestError: LLM Provider NOT provided.","code":"400"}}',
        trouble(http_status=400)),
    row("whether a failed job is charged nobody says", 12, "retrieve", 200,
        '{"id":"task_v","object":"video","status":"failed","progress":100,"error":{"message":"task failed","code":""}}',
        job("failed", complaint=("", "task failed"))),
    row("a list", 2, "list", 200,
        '{"object":"list","data":[{"id":"a","object":"video","status":"queued"},{"id":7,"status":"odd"},3,{"x":1}]}',
        ids("a", "7")),
    row("a list, wrapped", 2, "list", 200, '{"code":0,"data":{"total":1,"data":[{"task_id":"t","status":"SUCCESS"}]}}',
        ids("t")),
    row("a list of one job that failed", 2, "list", 200, '{"data":[{"id":"a","status":"error","error":"x"}]}',
        ids("a")),
]  # fmt: skip

ROWS = [
    *PROGRESS, *WRAPPED, *ACCEPTED, *FAILED, *CODES, *ENVELOPES, *PATHS, *CONTENT, *MODERATION, *PROXIES,
]  # fmt: skip
