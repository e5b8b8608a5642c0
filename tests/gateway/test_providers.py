"""Gateways that the owner adds: what the file may say, and what of it reaches the wire."""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from sora_jobs.config.providers import check_file, load_provider, provider_names
from sora_jobs.config.providers_toml import FIELDS
from sora_jobs.config.settings import Settings
from sora_jobs.engine import Engine
from sora_jobs.errors import GatewayError, InvalidInputError, NotOfferedError, NotPurchasedError, SoraError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.util.redact import redact

from ..failures import failing
from .ugly import UglyServer, answer

DOCS = Path(__file__).parents[2] / "docs" / "providers.md"
SPEC = VideoRequest(provider="mine", prompt="a boat", model="sora-2", seconds="4", size="1280x720")
ACCEPTED = answer(200, {"id": "video_1", "object": "video", "model": "sora-2", "status": "queued"})


def settings(home: Path, **env: str) -> Settings:
    return Settings(home=home, output=home / "output", env=env)


def written(home: Path, text: str) -> Settings:
    home.mkdir(exist_ok=True)
    (home / "providers.toml").write_text(text, encoding="utf-8")
    return settings(home)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[tuple[Engine, UglyServer]]:
    """An engine whose provider `mine` is a scripted server; a test writes the rest of its row."""
    with UglyServer([ACCEPTED]) as server:
        made = Engine(tmp_path / "home", tmp_path / "output", env={"MINE_KEY": "sk-mine-12345"})
        yield made, server
        made.close()


def row(server: UglyServer, rest: str = "") -> str:
    return f'[provider.mine]\nbase_url = "{server.url}"\nkey_variable = "MINE_KEY"\n{rest}\n'


def examples() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def test_every_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    """All of them in one file, as an owner would paste them; each field is explained, and none that is not there."""
    here = written(tmp_path, "\n".join(examples()).replace("/etc/ssl/certs/ca-certificates.crt", DOCS.as_posix()))
    assert check_file(here.read()) == []
    names = provider_names(here.read())
    assert {"openai-shaped", "new-api", "litellm", "vllm-omni", "sglang", "inside"} <= set(names)
    assert load_provider(here.read(), "sglang").key({}) == ""
    assert load_provider(here.read(), "inside").headers == (("X-Cost-Centre", "films"),)
    first_table = DOCS.read_text(encoding="utf-8").partition("\n## ")[0]
    explained = set(re.findall(r"^\| `(\w+)` \|", first_table, re.MULTILINE))
    assert explained == set(FIELDS)


PUBLIC, WITH_KEY = "is not in a private network", "would send the key"
WRONG = {
    "a misspelt field": ("polls = 3", "unknown_setting", "polls"),
    "a flag in words": ('remix = "yes"', "invalid_setting", "remix"),
    "a key in the file": ('key = "sk-abcdef123456"', "invalid_setting", "key"),
    "a pace that is none": ("poll_seconds = 0", "invalid_setting", "poll_seconds"),
    "a flag as a pace": ("poll_seconds = true", "invalid_setting", "poll_seconds"),
    "no number": ("timeout_seconds = nan", "invalid_setting", "timeout_seconds"),
    "a price below nothing": ("usd_per_second = -1", "invalid_setting", "usd_per_second"),
    "our own header": ('headers = { Authorization = "Bearer x" }', "invalid_setting", "headers"),
    "a header with a line break": ('headers = { X-A = "a\\nb" }', "invalid_setting", "headers"),
    "a header that is no text": ("headers = { X-A = 3 }", "invalid_setting", "headers"),
    "a proxy that is none": ('proxy = "socks://x"', "invalid_setting", "proxy"),
    "authorities that are not there": ('ca_bundle = "/nowhere/x.pem"', "invalid_setting", "ca_bundle"),
    "http to elsewhere": ('base_url = "http://example.com"', "url_not_https", WITH_KEY),
    "http with a key to a private address": (
        'base_url = "http://192.168.1.20:8000"',
        "url_not_https",
        WITH_KEY,
    ),
    "http to a public address": (
        'base_url = "http://93.184.216.34"\nkey = false',
        "url_not_https",
        PUBLIC,
    ),
    "http with a key to a public address": (
        'base_url = "http://93.184.216.34"\ninsecure = true',
        "url_not_https",
        PUBLIC,
    ),
    "http to a cloud's metadata": (
        'base_url = "http://169.254.169.254"\nkey = false',
        "url_not_https",
        PUBLIC,
    ),
    "http to a network that others share": (
        'base_url = "http://100.64.0.7"\nkey = false',
        "url_not_https",
        PUBLIC,
    ),
    "http to a number in another spelling": (
        'base_url = "http://1572395042"\nkey = false',
        "url_not_https",
        PUBLIC,
    ),
    "http to an address within another": (
        'base_url = "http://[2002:a00:1::]"\nkey = false',
        "url_not_https",
        PUBLIC,
    ),
    "no flag": ('insecure = "yes"', "invalid_setting", "insecure"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named_and_not_repeated(tmp_path: Path, name: str) -> None:
    """The error says which field and what it wants; the value may be a secret. Other providers work all the same."""
    text, code, says = WRONG[name]
    base = "" if "base_url" in text else 'base_url = "https://x.org"\n'
    here = written(tmp_path, f'[provider.mine]\n{base}{text}\n[provider.good]\nbase_url = "https://y.org"\n')
    (fault,) = check_file(here.read())
    assert (fault.code, says in fault.message) == (code, True)
    assert fault.hint
    assert "sk-abcdef123456" not in str(fault)
    with failing(InvalidInputError, code, "provider.mine", says):
        load_provider(here.read(), "mine")
    assert load_provider(here.read(), "good").base_url == "https://y.org"


PLAIN_HTTP = [
    ("http://192.168.1.20:8000", "key = false"), ("http://10.0.0.5", "key = false"),
    ("http://[fd12::1]", "key = false"), ("http://172.16.0.1/v1", "key = false"),
    ("http://gpu.local:8000", "key = false"),
    ("http://[::ffff:192.168.1.20]", "key = false"), ("http://192.168.1.20:8000", "insecure = true"),
    ("http://gpu.local", "insecure = true"), ("http://gpu.local", "key = false\ninsecure = true"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "rest"), PLAIN_HTTP)
def test_plain_http_to_the_private_network(tmp_path: Path, url: str, rest: str) -> None:
    """Without a key, or where the owner says so; where a name leads is looked at when it is connected to."""
    here = written(tmp_path, f'[provider.mine]\nbase_url = "{url}"\n{rest}\n')
    assert check_file(here.read()) == []
    assert load_provider(here.read(), "mine").plain_http


@pytest.mark.parametrize(
    ("url", "plain"), [("http://127.0.0.1:1", False), ("http://localhost", False), ("https://x", False)]
)
def test_loopback_and_tls_are_no_plain_http(tmp_path: Path, url: str, plain: bool) -> None:
    """Nothing of them leaves this machine, or nothing of it can be read."""
    assert load_provider(written(tmp_path, f'[provider.mine]\nbase_url = "{url}"\n').read(), "mine").plain_http is plain


def test_the_error_of_plain_http_says_what_is_there_and_what_is_better(tmp_path: Path) -> None:
    """The key only where there is one; a tunnel and TLS before the switch, and the switch only where it is one."""
    with_key, without = 'base_url = "http://192.168.1.20:8000"', 'base_url = "http://93.184.216.34"\nkey = false'
    (fault,) = check_file(written(tmp_path, f"[provider.mine]\n{with_key}\n").read())
    for word in ("https", "ssh -N -L 8000:127.0.0.1:8000 192.168.1.20", "insecure = true"):
        assert word in fault.hint
    assert fault.hint.count("http://127.0.0.1:8000 as the base_url") == 1
    (fault,) = check_file(written(tmp_path, f"[provider.mine]\n{without}\n").read())
    assert "ssh -N -L 8080:127.0.0.1:80 93.184.216.34" in fault.hint  # 80 here would need root
    assert "http://127.0.0.1:8080 as the base_url" in fault.hint
    assert "key" not in fault.message + fault.hint
    assert "insecure" not in fault.hint
    for url in ("http://192.168.1.20", "http://gpu.local", "http://example.com"):
        with failing(InvalidInputError, "url_not_https", "would send the key") as caught:
            load_provider(settings(tmp_path, COMETAPI_BASE_URL=url).read(), "cometapi")
        assert "insecure" not in caught.value.hint


@pytest.mark.parametrize("table", ["[providers.mine]", "[provder.mine]", "[mine]", "provider_url = 3"])
def test_what_is_no_provider_is_a_mistake(tmp_path: Path, table: str) -> None:
    """A slip of one letter would otherwise leave a whole gateway out, in silence."""
    here = written(tmp_path, f'{table}\n[provider.good]\nbase_url = "https://y.org"\n')
    (fault,) = check_file(here.read())
    assert fault.code == "unknown_setting"
    assert "[provider.NAME]" in fault.hint
    for name in ("good", "cometapi"):
        with failing(InvalidInputError, "unknown_setting", "providers.toml"):
            load_provider(here.read(), name)
    assert provider_names(here.read()) == ["cometapi", "sandbox"]
    assert load_provider(here.read(), "sandbox").name == "sandbox"


def test_how_this_machine_reaches_cometapi(tmp_path: Path) -> None:
    """Its proxy, authorities, patience and headers are the machine's; the variables still go before the file."""
    text = f"""
[provider.cometapi]
proxy = "http://proxy.example:3128"
ca_bundle = '{DOCS}'
timeout_seconds = 300
poll_seconds = 20
headers = {{ X-Cost-Centre = "films" }}
"""
    here = written(tmp_path, text)
    assert check_file(here.read()) == []
    found = load_provider(here.read(), "cometapi")
    assert (found.proxy, found.ca_bundle, found.timeout_s, found.poll_s) == (
        "http://proxy.example:3128", str(DOCS), 300.0, 20.0,
    )  # fmt: skip
    assert found.headers == (("X-Cost-Centre", "films"),)
    assert (found.base_url, found.key_variable) == ("https://api.cometapi.com", "COMETAPI_KEY")
    assert load_provider(settings(tmp_path, SORA_POLL_SECONDS="5").read(), "cometapi").poll_s == 5.0


@pytest.mark.parametrize("field", ['base_url = "https://x.org"', "key = false", 'key_variable = "X"', "list = true"])
def test_what_cometapi_is_stays_built_in(tmp_path: Path, field: str) -> None:
    """Address and key are in variables, and say so."""
    here = written(tmp_path, f"[provider.cometapi]\n{field}\n")
    (fault,) = check_file(here.read())
    assert fault.code == "setting_locked"
    assert "COMETAPI_BASE_URL" in fault.hint
    with failing(InvalidInputError, "setting_locked", field.partition(" ")[0]):
        load_provider(here.read(), "cometapi")


def test_extra_headers_go_to_the_gateway_alone(engine: tuple[Engine, UglyServer], tmp_path: Path) -> None:
    """With the key; not to an address that the gateway gives for the video, which is another host. They are hidden in
    texts, as a key is."""
    made, server = engine
    with UglyServer([answer(403, b"no")]) as elsewhere:
        done = {"id": "video_1", "object": "video", "status": "completed", "video_url": f"{elsewhere.url}/x.mp4?sig=1"}
        server.answers[:] = [ACCEPTED, answer(200, done), answer(404, b"{}"), answer(200, done)]
        written(tmp_path / "home", row(server, 'headers = { X-Tenant = "tenant-secret-7" }'))
        job = made.start_create(SPEC).result(10).job
        with pytest.raises(SoraError):
            made.start_wait(job.id, timeout=3).future.result(20)
        assert {request.headers.get("x-tenant") for request in server.requests} == {"tenant-secret-7"}
        assert elsewhere.requests
        assert all("x-tenant" not in r.headers and "authorization" not in r.headers for r in elsewhere.requests)
    assert "tenant-secret-7" not in redact("it said tenant-secret-7")


def test_a_gateway_without_a_key_gets_none(engine: tuple[Engine, UglyServer], tmp_path: Path) -> None:
    """A server of one's own; no key has to be made up for it."""
    made, server = engine
    written(tmp_path / "home", row(server, "key = false"))
    made.start_create(SPEC).result(10)
    assert "authorization" not in server.requests[0].headers


def test_a_job_stays_with_its_provider(engine: tuple[Engine, UglyServer], tmp_path: Path) -> None:
    """The owner points the name at another host: neither the id nor the new key goes there."""
    made, server = engine
    written(tmp_path / "home", row(server))
    job = made.start_create(SPEC).result(10).job
    with UglyServer([ACCEPTED]) as other:
        written(tmp_path / "home", row(other))
        with failing(InvalidInputError, "origin_changed", job.origin, other.url, charge="charged"):
            made.start_wait(job.id, timeout=5).future.result(10)
        assert other.requests == []


def test_a_proxy_of_its_own(engine: tuple[Engine, UglyServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before the variables; the gateway's name is the proxy's to resolve. Loopback goes through none."""
    made, server = engine
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    server.answers[:] = [answer(502, b"no way")]
    text = 'base_url = "https://videos.nowhere.invalid"\nkey_variable = "MINE_KEY"\n'
    written(tmp_path / "home", f'[provider.mine]\n{text}proxy = "{server.url}"\n')
    with pytest.raises(NotPurchasedError):
        made.start_create(SPEC).result(20)
    assert {(request.method, request.path) for request in server.requests} == {
        ("CONNECT", "videos.nowhere.invalid:443")
    }
    assert all("authorization" not in request.headers for request in server.requests)
    server.answers[:] = [ACCEPTED]
    written(tmp_path / "home", row(server, 'proxy = "http://127.0.0.1:9"'))
    assert made.start_create(SPEC).result(20).job.video_id == "video_1"


def test_authorities_of_its_own(engine: tuple[Engine, UglyServer], tmp_path: Path) -> None:
    """A certificate that the company signed itself; whoever else's is refused, before anything is sent."""
    made, _ = engine
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with _tls_server(context) as (url, seen):
        mine = f'[provider.mine]\nbase_url = "{url}"\nkey_variable = "MINE_KEY"\n'
        written(tmp_path / "home", mine)
        with failing(GatewayError, "tls", charge="none"):
            made.providers.client("mine").reach()
        assert seen == []
        written(tmp_path / "home", f"{mine}ca_bundle = '{tmp_path / 'ca.pem'}'\n")
        assert made.providers.client("mine").reach().status == 200
        assert b"Bearer sk-mine-12345" in seen[0]


def test_its_own_authorities_vouch_for_it_alone(
    engine: tuple[Engine, UglyServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it sends us to for the video is checked by the usual authorities, which a company's own must not replace."""
    made, _ = engine
    own, usual = trustme.CA(), trustme.CA()
    own.cert_pem.write_to_path(str(tmp_path / "own.pem"))
    usual.cert_pem.write_to_path(str(tmp_path / "usual.pem"))
    contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(3)]
    for authority, context in zip((own, own, usual), contexts, strict=True):
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "usual.pem"))
    monkeypatch.setattr("sora_jobs.gateway.http.is_loopback", lambda host: False)  # to which no variable applies
    monkeypatch.setattr("sora_jobs.gateway.http.is_public", lambda address, ranges: True)
    with _tls_server(contexts[0]) as (url, _), _tls_server(contexts[1]) as (stranger, seen), \
            _tls_server(contexts[2]) as (storage, _):  # fmt: skip
        row = f'[provider.mine]\nbase_url = "{url}"\nkey_variable = "MINE_KEY"\n'
        written(tmp_path / "home", f"{row}ca_bundle = '{tmp_path / 'own.pem'}'\n")
        client = made.providers.client("mine")
        assert client.reach().status == 200
        with failing(GatewayError, "tls"):
            client.stream(f"{stranger}/a.mp4", {})
        assert seen == []
        with failing(NotOfferedError, "not_a_video"):  # it is reached, and gives a list
            client.stream(f"{storage}/a.mp4", {})


class _tls_server:
    """Answers every request with an empty list, over TLS."""

    def __init__(self, context: ssl.SSLContext) -> None:
        import socket

        self._socket = socket.create_server(("127.0.0.1", 0))
        self._context, self.seen = context, list[bytes]()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> tuple[str, list[bytes]]:
        self._thread.start()
        return f"https://localhost:{self._socket.getsockname()[1]}", self.seen

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _run(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(plain, server_side=True) as connection:
                    self.seen.append(connection.recv(65536))
                    connection.sendall(answer(200, {"object": "list", "data": []}))
            except OSError:
                plain.close()
