"""What is left at CometAPI: the two calls, how their numbers are read, and when it warns. It refuses nothing."""

from __future__ import annotations

import dataclasses
import itertools
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.budget import Budget
from sora_jobs.config.providers import Provider, cometapi
from sora_jobs.config.settings import Settings
from sora_jobs.config.timing import DEFAULT, Timing
from sora_jobs.diagnostics.doctor import examine
from sora_jobs.engine import Engine
from sora_jobs.errors import GatewayError, InvalidInputError, MissingKeyError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.purchasing.balance import PLACES, Balance, Places, balance_of, knows_balance
from sora_jobs.views.settings import shown

from ..failures import failing
from ..gateway.ugly import OLD_URLLIB3, Script, UglyServer, answer, reset

KEY = "sk-canary-0123456789-wxyz"
# As apidoc.cometapi.com/pricing/balance-query has it; the second key without a limit as its page of 2025-05 shows it.
ACCOUNT = {
    "username": "somebody@example.com",
    "total_quota": 2105.234088,
    "total_used_quota": 21.065912,
    "request_count": 1400,
    "keys": [
        {"name": "tts_test", "remain_quota": 8.93872, "used_quota": 2.099206},
        {"name": "private name", "remain_quota": 999999999, "used_quota": -1},
    ],
}
# As CometAPI's own command line reads them (PyPI cometapi-cli 0.3.10, get_balance): dollars, and cents.
LIMIT = {"object": "billing_subscription", "hard_limit_usd": 13.5, "soft_limit_usd": 13.5}
USED = {"object": "list", "total_usage": 125.0}


def in_turn(answers: list[Script]) -> list[Script]:
    """These answers, and then the same again."""
    given = itertools.cycle(answers)

    def play(line: socket.socket) -> None:
        one = next(given)
        _ = one(line) if callable(one) else line.sendall(one)

    return [play]


class Place:
    """A state folder, and servers in the places of CometAPI's two origins."""

    def __init__(self, folder: Path, own: list[Script], account: list[Script]) -> None:
        self.own, self.account = UglyServer(in_turn(own)), UglyServer(account)
        self.env: dict[str, str] = {"COMETAPI_KEY": KEY}
        self.settings = Settings(home=folder / "home", output=folder / "output", env=self.env)
        self.ledger = Ledger(self.settings.home)

    @property
    def places(self) -> Places:
        return Places(own=self.own.url, account=self.account.url)

    @property
    def provider(self) -> Provider:
        return Provider(name="cometapi", base_url=self.own.url, key_variable="COMETAPI_KEY")

    def ask(self, *, account: bool = False, timing: Timing = DEFAULT) -> Balance:
        return balance_of(
            self.provider, self.settings.read(), self.ledger, account=account, places=self.places, timing=timing
        )

    def bought(self, usd: float | None, prompt: str = "a boat", provider: str = "cometapi") -> None:
        spec = VideoRequest(provider=provider, prompt=prompt, model="sora-2", seconds="4", size="1280x720")
        self.ledger.reserve(spec, origin="x", estimated_usd=usd, budget=Budget())


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    given: dict[str, list[Script]] = getattr(request, "param", {})
    own = given.get("own", [answer(200, LIMIT), answer(200, USED)])
    made = Place(tmp_path, own, given.get("account", [answer(200, ACCOUNT)]))
    with made.own, made.account:
        yield made
        made.ledger.close()


def own(limit: Any, used: Any = USED) -> dict[str, list[Script]]:
    return {"own": [answer(200, limit), answer(200, used)]}


def of_account(**changes: Any) -> dict[str, list[Script]]:
    return {"account": [answer(200, ACCOUNT | changes)]}


def test_a_keys_balance_is_asked_at_the_providers_own_origin(place: Place) -> None:
    """The key goes in a header, to that origin alone. Dollars less cents."""
    before = time.time()
    found = place.ask()
    assert (found.of, found.left_usd, found.used_usd, found.unlimited) == ("key", 12.25, 1.25, False)
    assert (found.provider, found.host) == ("cometapi", "127.0.0.1")
    assert before <= found.asked_at <= time.time()
    paths = ["/v1/dashboard/billing/subscription", "/v1/dashboard/billing/usage"]
    assert [(one.method, one.path) for one in place.own.requests] == [("GET", path) for path in paths]
    assert {one.headers["authorization"] for one in place.own.requests} == {f"Bearer {KEY}"}
    assert place.account.requests == []


def test_the_accounts_balance_is_asked_in_the_documented_way(place: Place) -> None:
    """One call, the key in the URL, no header with it."""
    found = place.ask(account=True)
    assert (found.of, found.left_usd, found.used_usd) == ("account", 2105.234088, 21.065912)
    (asked,) = place.account.requests
    assert (asked.method, asked.path) == ("GET", f"/user/quota?key={KEY}")
    assert "authorization" not in asked.headers
    assert place.own.requests == []


def test_names_of_keys_and_the_user_are_not_kept(place: Place) -> None:
    said = repr(dataclasses.replace(place.ask(account=True), asked_at=0.0))
    assert not [word for word in ("somebody", "tts_test", "private name", "8.9") if word in said]


def test_a_key_for_the_accounts_call_alone_is_sent_in_place_of_the_one_that_buys(place: Place) -> None:
    """CometAPI's own advice: one that cannot buy anything. The key's own balance is still that of the one that buys."""
    file = place.settings.home / "keys" / "cometapi.balance"
    file.parent.mkdir(parents=True)
    file.write_text("sk-cannot-buy-anything", encoding="utf-8")
    file.chmod(0o600)
    place.ask(account=True)
    assert place.account.requests[0].path == "/user/quota?key=sk-cannot-buy-anything"
    place.ask()
    assert place.own.requests[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", ["cometapi.balance", "cometapi.balance.txt"])
def test_where_that_key_cannot_be_used_the_other_one_is_not_sent(place: Place, name: str) -> None:
    """An empty file, or one with the ending that Windows hides."""
    file = place.settings.home / "keys" / name
    file.parent.mkdir(parents=True)
    file.write_text("\n" if name.endswith("balance") else "sk-cannot-buy-anything", encoding="utf-8")
    file.chmod(0o600)
    with failing(MissingKeyError, "missing_key"):
        place.ask(account=True)
    assert place.account.requests == []


@pytest.mark.parametrize(
    ("place", "account"),
    [
        (own({"hard_limit_usd": 100000000}), False),
        (own({"hard_limit_usd": 1e8 + 1.25}), False),
        (own({"hard_limit_usd": -1}), False),
        (own({"hard_limit_usd": 999999999}), False),
        (of_account(total_quota=-1), True),
        (of_account(total_quota=999999999), True),
        (of_account(total_quota=1e8), True),
    ],
    indirect=["place"],
)
def test_a_sign_for_no_limit_is_no_sum_of_money(place: Place, account: bool) -> None:
    found = place.ask(account=account)
    assert (found.left_usd, found.unlimited, found.short) == (None, True, False)
    assert found.used_usd in (1.25, 21.065912)


@pytest.mark.parametrize("place", [of_account(total_used_quota=used) for used in (-1, None, "21", 1e9)], indirect=True)
def test_what_was_used_may_be_unknown(place: Place) -> None:
    assert (place.ask(account=True).left_usd, place.ask(account=True).used_usd) == (2105.234088, None)


@pytest.mark.parametrize("place", [own({"hard_limit_usd": 1}, {"total_usage": 150})], indirect=True)
def test_more_may_be_used_than_there_was(place: Place) -> None:
    """A job is charged more than was taken in advance; then any job may be refused."""
    assert (place.ask().left_usd, place.ask().short) == (-0.5, True)


HUGE = b'{"total_quota": 1' + b"0" * 400 + b', "hard_limit_usd": 1' + b"0" * 400 + b"}"
NO_BALANCE: dict[str, Script] = {
    "an error with 200": answer(200, {"error": {"message": "token not found"}}),
    "success: false": answer(200, {"success": False, "message": "token not found", "total_quota": None}),
    "a page": answer(200, b"<!doctype html><title>Welcome</title>"),
    "a list": answer(200, [{"total_quota": 1, "hard_limit_usd": 1}]),
    "text": answer(200, {"total_quota": "12", "hard_limit_usd": "12"}),
    "a yes": answer(200, {"total_quota": True, "hard_limit_usd": True}),
    "nan": answer(200, b'{"total_quota": NaN, "hard_limit_usd": NaN}'),
    "infinity": answer(200, b'{"total_quota": Infinity, "hard_limit_usd": Infinity}'),
    "400 digits": answer(200, HUGE),
    "too deep": answer(200, b'{"total_quota": 1, "hard_limit_usd": 1, "x": ' + b"[" * 90 + b"]" * 90 + b"}"),
    "too large": answer(200, b'{"total_quota": 1, "hard_limit_usd": 1, "x": "' + b"x" * (1 << 20) + b'"}'),
    "nothing": answer(200, b""),
    "cut": answer(200, b'{"total_quota": 1', length=500),
    "no content": answer(204),
    "a redirect": answer(302, b"", [("Location", "/elsewhere")]),
    "a bad key": answer(401, {"error": {"message": "private name", "type": "comet_api_error"}}),
    "not there": answer(404, b"not found"),
    "broken": answer(500, {"total_quota": 1, "hard_limit_usd": 1}),
    "hung up": reset,
}


@pytest.mark.parametrize("account", [False, True])
@pytest.mark.parametrize("name", NO_BALANCE)
def test_whatever_is_no_balance_is_told_and_is_no_number(tmp_path: Path, name: str, account: bool) -> None:
    """Once: nothing is asked again, and nothing that was said there is repeated."""
    script = [NO_BALANCE[name]]
    place = Place(tmp_path, script, script)
    with place.own, place.account:
        with pytest.raises(GatewayError) as caught:
            place.ask(account=account)
        assert len((place.account if account else place.own).requests) == 1
    error = caught.value
    assert (error.charge, error.exit_code) == ("none", 6)
    assert "did not tell the balance" in error.message
    assert "private name" not in str(error)
    assert (error.kind == "bad_key") == (name == "a bad key")
    assert error.kind != "not_known"  # which would speak of a job


@pytest.mark.parametrize("place", [{"own": [answer(200, LIMIT), answer(500, b"")]}], indirect=True)
def test_half_of_the_two_calls_is_no_balance(place: Place) -> None:
    with failing(GatewayError, "", "HTTP 500", charge="none"):
        place.ask()


def test_a_response_that_drips_is_given_up(tmp_path: Path) -> None:
    def drip(line: Any) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(100):
            line.sendall(b" ")
            time.sleep(0.05)

    place = Place(tmp_path, [drip], [drip])
    with place.own, place.account:
        began = time.monotonic()
        with failing(GatewayError, "network", "timed out" if OLD_URLLIB3 else "slow", charge="none"):
            place.ask(account=True, timing=Timing(balance_timeout_s=0.3))
        assert time.monotonic() - began < 3


def test_it_is_known_of_cometapi_alone(place: Place) -> None:
    """At CometAPI's own origin: another base URL under that name may be anybody's. Nothing is sent."""
    for name in ("mine", "sandbox"):
        with failing(InvalidInputError, "balance_unsupported", f"at {name} "):
            balance_of(
                Provider(name=name, base_url=place.own.url), place.settings.read(), place.ledger, places=place.places
            )
    for account in (False, True):
        with failing(InvalidInputError, "balance_unsupported", "COMETAPI_BASE_URL"):
            balance_of(place.provider, place.settings.read(), place.ledger, account=account)
    assert place.own.requests + place.account.requests == []


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://api.cometapi.com", True),
        ("https://api.cometapi.com:443", True),
        ("https://api.cometapi.com:444", False),
        ("http://api.cometapi.com", False),
        ("https://query.cometapi.com", False),
        ("https://api.cometapi.com.evil.example", False),
        ("https://evil.example\\@api.cometapi.com", False),
        ("https://API.cometapi.com", True),
    ],
)
def test_cometapis_own_origin_is_exact(url: str, known: bool) -> None:
    assert knows_balance(Provider(name="cometapi", base_url=url)) is known
    assert (PLACES.own, PLACES.account) == ("https://api.cometapi.com", "https://query.cometapi.com")


# -- the warning ------------------------------------------------------------------------------------------------------


def test_it_warns_where_the_last_job_cost_more_than_is_left(place: Place) -> None:
    """Of this provider, and not one that was refused; equal is enough."""
    assert (place.ask().next_usd, place.ask().next_by, place.ask().short) == (5.0, "cap", False)
    place.bought(3.0, "cheap")
    assert (place.ask().next_usd, place.ask().next_by, place.ask().short) == (3.0, "last_job", False)


@pytest.mark.parametrize("place", [own({"hard_limit_usd": 3.25})], indirect=True)
def test_the_price_of_the_last_job_decides_and_else_the_cap(place: Place) -> None:
    """2 dollars are left, the cap is 5. A price that is unknown or 0 says nothing of the next one."""
    found: list[tuple[float, str, bool]] = []
    for price in (2.0, 2.01, None, 0.0):
        place.bought(price, f"for {price}")
        told = place.ask()
        found.append((told.next_usd, told.next_by, told.short))
    assert found == [(2.0, "last_job", False), (2.01, "last_job", True), (5.0, "cap", True), (5.0, "cap", True)]
    place.bought(0.5, "elsewhere", provider="mine")
    assert place.ask().next_by == "cap"


def test_a_damaged_ledger_hides_no_balance(place: Place) -> None:
    place.settings.home.mkdir()
    (place.settings.home / "ledger.sqlite3").write_bytes(b"this is no database" * 100)
    assert (place.ask().left_usd, place.ask().next_by) == (12.25, "cap")


# -- from a shell -----------------------------------------------------------------------------------------------------


@pytest.fixture
def shell(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr("sora_jobs.purchasing.balance.PLACES", place.places)
    monkeypatch.setenv("SORA_HOME", str(place.settings.home))
    monkeypatch.setenv("COMETAPI_BASE_URL", place.own.url)
    monkeypatch.setenv("COMETAPI_KEY", KEY)
    return place


def test_the_shell_says_it_in_one_line(shell: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balance"]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("cometapi, this key: $12.25 left, $1.25 used (127.0.0.1, 20")
    assert (len(told.out.splitlines()), told.err) == (1, "")
    assert main(["balance", "--account", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["of"], found["left_usd"], found["next_by"], found["short"]) == ("account", 2105.234088, "cap", False)
    assert not shell.settings.home.exists()  # nothing is kept


@pytest.mark.parametrize("place", [own({"hard_limit_usd": 1.75})], indirect=True)
def test_the_shell_warns_and_refuses_nothing(shell: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["balance"]) == 0
    assert "warning: the cap per job is $5.00, which is more than is left" in capsys.readouterr().err


@pytest.mark.parametrize("place", [own({"hard_limit_usd": 1e8})], indirect=True)
def test_a_key_without_a_limit_names_the_other_call(shell: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """And does not make it by itself: that one sends the key in a URL."""
    assert main(["balance"]) == 0
    told = capsys.readouterr()
    assert "unlimited, $1.25 used" in told.out
    assert "sora balance cometapi --account" in told.err
    assert shell.account.requests == []


@pytest.mark.parametrize(("name", "status"), [("sandbox", 2), ("nobody", 2)])
def test_other_providers_get_a_sentence(
    shell: Place, name: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["balance", name]) == status
    assert name in capsys.readouterr().err
    assert shell.own.requests == []


# -- never by itself --------------------------------------------------------------------------------------------------


def test_nobody_else_asks(shell: Place) -> None:
    """Neither the doctor, nor the settings of the page, nor a quote, nor an engine that starts and looks after jobs."""
    engine = Engine(shell.settings.home, shell.settings.output)
    engine.background.begin()
    examine(engine)
    row = shown(engine.settings.read(), engine.ledger, local=True)["providers"][0]
    engine.quote({"model": "sora-2", "custom_model": "", "seconds": "4", "size": "1280x720", "extra_fields": "",
                  "provider": "cometapi"})  # fmt: skip
    engine.close()
    assert row["balance"] is True
    assert not [one.path for one in shell.own.requests if "billing" in one.path]
    assert shell.account.requests == []


def test_the_page_offers_it_where_it_can_be_asked(tmp_path: Path) -> None:
    """Not without a key, and not where another base URL is set."""
    offers: list[bool] = []
    for env in ({}, {"COMETAPI_KEY": KEY}, {"COMETAPI_KEY": KEY, "COMETAPI_BASE_URL": "https://relay.example"}):
        settings = Settings(home=tmp_path, output=tmp_path, env=env)
        offers.append(shown(settings.read(), Ledger(tmp_path), local=True)["providers"][0]["balance"])
    assert offers == [False, True, False]
    assert cometapi(tmp_path).base_url == PLACES.own
