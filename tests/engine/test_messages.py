"""Failures in plain words: which kind it is, in three languages, and the same text wherever it is shown."""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
import io
import json
import os
import re
import ssl
import string
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sora_jobs
from sora_jobs import messages
from sora_jobs.cli.main import main
from sora_jobs.config.settings import Settings
from sora_jobs.engine import Engine
from sora_jobs.errors import (
    BudgetExceededError,
    DownloadExpiredError,
    GatewayError,
    InvalidInputError,
    JobFailedError,
    LedgerError,
    LocalError,
    MissingKeyError,
    NotOfferedError,
    NotPurchasedError,
    PurchaseUncertainError,
    RequestRejectedError,
    SoraError,
    StorageError,
    TruncatedVideoError,
    UnreachableError,
    WaitTimeoutError,
)
from sora_jobs.gateway.connections import NoPySocks
from sora_jobs.gateway.error_body import Response
from sora_jobs.gateway.http import classify_network_error
from sora_jobs.gateway.responses import read_created, read_status
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.messages import RECONCILE_HINT
from sora_jobs.models.catalogue import Catalogue

WORDS: dict[str, Any] = tomllib.loads((Path(sora_jobs.__file__).parent / "messages.toml").read_text(encoding="utf-8"))
PACK = Path(__file__).parents[2]


def sentences() -> Iterator[tuple[str, dict[str, str]]]:
    for name, texts in (*WORDS["charge"].items(), *WORDS["labels"].items(), *WORDS["warnings"].items()):
        yield name, texts
    for name, table in WORDS["kind"].items():
        assert set(table) == {"what", "do"}, name
        yield f"{name}.message", table["what"]
        yield f"{name}.do", table["do"]


def names_in(text: str) -> set[str]:
    """What must not be translated: commands, variables, inputs, and what is filled in."""
    fields = {field for _, field, _, _ in string.Formatter().parse(text) if field}
    return fields | set(re.findall(r"`[^`]+`|[A-Z_]{6,}|\bSora\w+|\b\w+\.toml|\bsandbox\b", text))


def test_every_sentence_is_there_in_every_language() -> None:
    """With the same commands and names in it; no language was left out or copied from another."""
    for name, texts in sentences():
        assert tuple(texts) == messages.LANGUAGES, name
        assert all(text.strip() for text in texts.values()), name
        assert len({names_in(text) == names_in(texts["en"]) for text in texts.values()} - {True}) == 0, name
        assert len(set(texts.values())) == len(texts), name


def test_the_first_error_is_told_where_no_file_can_be_opened() -> None:
    """Its words are in memory from the import on: a process without descriptors left reads none."""
    program = (
        "import errno, sys\n"
        "from sora_jobs.errors import StorageError\n"
        "def no_file(event, _):\n"
        "    if event == 'open':\n"
        "        raise OSError(errno.EMFILE, 'Too many open files')\n"
        "sys.addaudithook(no_file)\n"
        "print(StorageError('The video could not be written.'))\n"
    )
    env = os.environ | {"PYTHONPATH": str(PACK / "nodes")}
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, encoding="utf-8", check=False)
    assert ran.stdout.startswith("The video could not be written."), ran.stderr


def refused(status: int, code: str = "", message: str = "no") -> SoraError:
    body = json.dumps({"error": {"message": message, "code": code}}).encode()
    with pytest.raises(SoraError) as caught:
        read_created(Response(status, {"x-request-id": "req_77"}, body))
    return caught.value


def asked(status: int, code: str = "") -> SoraError:
    body = json.dumps({"error": {"message": "no", "code": code}}).encode()
    with pytest.raises(SoraError) as caught:
        read_status(Response(status, {}, body), "video_1")
    return caught.value


BLOCKED = "Your request was blocked by our moderation system when checking inputs."
KINDS: dict[str, tuple[SoraError, str, str]] = {
    "moderation at create": (refused(400, message=BLOCKED), "moderation_create", "none"),
    "moderation at the job": (JobFailedError("a face", code="moderation_blocked"), "moderation_job", "possible"),
    "moderation of the finished video": (
        JobFailedError("no", code="output_moderated"),
        "moderation_output",
        "possible",
    ),
    "model gone": (refused(503, "model_not_found"), "model_gone", "none"),
    "model retired": (InvalidInputError("retired", code="model_retired"), "model_gone", "none"),
    "no balance": (refused(403, "insufficient_user_quota"), "no_balance", "none"),
    "no balance, by status": (refused(402), "no_balance", "none"),
    "bad key": (refused(401, "invalid_api_key"), "bad_key", "none"),
    "bad key, under a code of its family": (refused(401, "new_api_error"), "bad_key", "none"),
    "bad key at a proxy without a database": (refused(400, "no_db_connection"), "bad_key", "none"),
    "rate limit, under a code of its own": (refused(429, "Too Many Requests"), "rate_limit", "none"),
    "bad key while polling": (asked(401), "bad_key", "charged"),
    "no key": (MissingKeyError("no key"), "no_key", "none"),
    "rate limit": (refused(429, "rate_limit_exceeded"), "rate_limit", "none"),
    "saturation": (refused(403, "upstream_load_saturated"), "saturated", "none"),
    "unverified account": (
        refused(403, message="Your organization must be verified to use the model"),
        "unverified",
        "none",
    ),
    "wrong reference": (
        refused(400, message="Inpaint image must match the requested width and height"),
        "wrong_reference",
        "none",
    ),
    "wrong reference, too large": (refused(413), "wrong_reference", "none"),
    "not allowed": (refused(403), "not_allowed", "none"),
    "a wrong base URL": (refused(404), "wrong_address", "none"),
    "a wrong base URL, by a redirect": (refused(301), "wrong_address", "none"),
    "a wrong base URL while polling": (asked(301), "wrong_address", "charged"),
    "not known while polling": (asked(404), "not_known", "charged"),
    "not known while polling, by code": (asked(200, "task_not_exist"), "not_known", "charged"),
    "not allowed while polling": (asked(403), "not_allowed", "charged"),
    "no such model, in capitals": (refused(400, "MODEL_NOT_FOUND"), "model_gone", "none"),
    "no such model at a proxy": (refused(400, message="Invalid model name passed in model=x."), "model_gone", "none"),
    "a refusal as the ledger keeps it": (RequestRejectedError("no", code="401"), "bad_key", "none"),
    "moderation in Seedance's words": (
        refused(400, "InputImageSensitiveContentDetected.PrivacyInformation"),
        "moderation_create",
        "none",
    ),
    "a library that does not work": (
        LocalError("urllib3 9", code="unsupported_library"),
        "unsupported_library",
        "none",
    ),
    "wrong input": (refused(400, "bad_size"), "wrong_input", "none"),
    "expired link": (DownloadExpiredError("gone"), "link_lapsed", "charged"),
    "expired address": (NotOfferedError("gone"), "link_lapsed", "charged"),
    "gateway broken": (asked(502), "gateway_broken", "charged"),
    "cut short": (TruncatedVideoError("half"), "gateway_broken", "charged"),
    "network": (UnreachableError("no route", code="network"), "network", "none"),
    "proxy": (UnreachableError("407", code="proxy"), "proxy", "none"),
    "SOCKS": (UnreachableError("no PySocks", code="socks"), "socks", "none"),
    "TLS": (UnreachableError("bad certificate", code="tls"), "tls", "none"),
    "perhaps bought": (PurchaseUncertainError("cut", code="tls"), "perhaps_bought", "possible"),
    "job failed": (JobFailedError("no reason", code="500"), "job_failed", "possible"),
    "job failed at a limit": (JobFailedError("slow", code="rate_limit_exceeded"), "job_failed", "possible"),
    "job failed for want of balance": (JobFailedError("no", code="insufficient_quota"), "job_failed", "possible"),
    "job failed for its key": (JobFailedError("no", code="invalid_api_key"), "job_failed", "possible"),
    "waited long": (WaitTimeoutError("slow"), "waited_long", "charged"),
    "budget": (BudgetExceededError("over"), "budget", "none"),
    "disk": (StorageError("read-only"), "disk", "none"),
    "full disk": (StorageError("full", code="disk_full"), "disk_full", "none"),
    "a ledger on a full disk": (LedgerError("full", code="ledger_full"), "disk_full", "none"),
    "a ledger that another one holds": (LedgerError("locked", code="ledger_in_use"), "ledger_in_use", "none"),
    "a ledger of another user's": (LedgerError("denied", code="ledger_denied"), "ledger_denied", "none"),
    "a damaged ledger": (LedgerError("no ledger", code="ledger_damaged"), "ledger_damaged", "none"),
    "file_in_use": (StorageError("open elsewhere", code="file_in_use"), "file_in_use", "none"),
    "cancelled": (NotPurchasedError("cancelled", code="cancelled"), "cancelled", "none"),
    "cancelled, as the ledger keeps it": (RequestRejectedError("cancelled", code="cancelled"), "cancelled", "none"),
    "cancelled at its provider": (asked(400, "cancelled"), "not_known", "charged"),
    "failed at its provider as cancelled": (JobFailedError("no", code="cancelled"), "job_failed", "possible"),
    "not sent yet": (NotPurchasedError("its program has ended", code="not_sent_yet"), "not_sent", "none"),
    "sent already": (InvalidInputError("it is submitted", code="already_sent"), "already_sent", "none"),
    "wrong choice": (InvalidInputError("no such size"), "wrong_choice", "none"),
    "unknown": (LedgerError("odd"), "unknown", "none"),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_of_a_failure(name: str) -> None:
    """By class, code and status; with what is known of the money."""
    error, kind, charge = KINDS[name]
    assert (error.kind, error.charge) == (kind, charge)


def test_a_cancelled_row_is_told_once() -> None:
    """The page makes the error of a refused row; the words of the table would say the same twice."""
    told = str(RequestRejectedError("It was cancelled before it was sent.", code="cancelled"))
    assert told.count("cancelled before it was sent") == 1


def test_every_kind_is_reached() -> None:
    """No table without a failure that it speaks of."""
    assert {kind for _, kind, _ in KINDS.values()} == set(WORDS["kind"])


@pytest.mark.parametrize("tongue", messages.LANGUAGES)
@pytest.mark.parametrize("name", KINDS)
def test_the_text_has_all_that_is_needed(name: str, tongue: str) -> None:
    """What happened, the money, what to do, the job and the request's number; nothing left unfilled."""
    error, kind, charge = KINDS[name]
    known = error.with_job("j123").changed(request_id="r9", language=tongue)
    text = str(known)
    if tongue == "en":
        assert known.message in text
    else:
        assert text.startswith(WORDS["kind"][kind]["what"][tongue])
        assert WORDS["kind"][kind]["do"][tongue].replace("{job}", "j123") in text
        assert known.message in text  # the gateway's own words, which its support wants
    assert known.hint.replace("{job}", "j123") in text
    assert WORDS["charge"][charge][tongue] in text
    assert "j123" in text
    assert "r9" in text
    assert "{" not in text
    if kind == "perhaps_bought" and tongue != "en":
        assert "sora resume j123 --lost" in text


@pytest.mark.parametrize("tongue", messages.LANGUAGES)
@pytest.mark.parametrize(
    ("code", "kind"),
    [("rate_limit_exceeded", "rate_limit"), ("insufficient_quota", "no_balance"), ("invalid_api_key", "bad_key")],
)
def test_a_job_that_failed_is_not_mended_by_running_it_again(code: str, kind: str, tongue: str) -> None:
    """What ended it is told, and that the same only tells that again: another take is needed."""
    text = str(JobFailedError("It ended.", code=code, job="j1").changed(language=tongue))
    assert WORDS["kind"][kind]["what"][tongue] in text
    assert WORDS["kind"]["job_failed"]["do"][tongue] in text
    assert WORDS["kind"][kind]["do"][tongue] not in text


def labels(tongue: str) -> dict[str, str]:
    """What the page calls its tab and its buttons."""
    text = (Path(__file__).parents[2] / "js" / f"words.{tongue}.mjs").read_text(encoding="utf-8")
    return dict(re.findall(r'^  (\w+): "(.*)",$', text, re.MULTILINE))


@pytest.mark.parametrize("tongue", messages.LANGUAGES)
def test_what_may_have_been_bought_is_settled_in_the_tab_first(tongue: str) -> None:
    """Whoever reads a node's error has the page before them: the tab and its buttons by the names that the page gives
    them, and a shell's command behind."""
    text = str(PurchaseUncertainError("cut", hint=RECONCILE_HINT, job="j1").changed(language=tongue))
    words = labels(tongue)
    names = [f"*{words[key]}*" for key in ("tab", "look", "use_id", "declare_lost")]
    places = [text.index(name) for name in (*names, "`sora resume j1 --video-id ID`", "`sora resume j1 --lost`")]
    assert places == sorted(places)


@pytest.mark.parametrize("tongue", messages.LANGUAGES)
def test_a_failed_job_names_the_button_that_asks_again(tongue: str) -> None:
    """As the page calls it."""
    words, text = labels(tongue), WORDS["kind"]["job_failed"]["do"][tongue]
    assert f"*{words['tab']}*" in text
    assert f"*{words['ask']}*" in text


def sentences_of(source: Path) -> Iterator[str]:
    """The texts of a module, each as a whole; no docstrings."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        for child in ast.iter_child_nodes(node):
            whole = not isinstance(node, ast.JoinedStr | ast.Expr)
            if whole and isinstance(child, ast.Constant) and isinstance(child.value, str):
                yield child.value
            elif whole and isinstance(child, ast.JoinedStr):
                parts = child.values
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


def test_no_sentence_sends_to_a_shell_first() -> None:
    """Whatever may have been paid for: where a command of a shell is named, so is the tab or the node before it. The
    command line itself speaks to a shell."""
    folder = Path(sora_jobs.__file__).parent
    found = [
        (file.name, text)
        for file in sorted(folder.rglob("*.py"))
        if file.parent.name != "cli"
        for text in sentences_of(file)
        if "`sora resume" in text
    ]
    assert len(found) > 5
    for name, text in found:
        assert re.search(r"\*Sora jobs\*|SoraOpenJob|\*Open Sora Job\*", text.partition("`sora resume")[0]), (
            name,
            text,
        )


def test_who_does_not_know_a_job_is_not_in_trouble() -> None:
    """Nor is who does not allow a call; support would be asked for nothing."""
    for error in (asked(404), asked(403), asked(301)):
        assert WORDS["kind"]["gateway_broken"]["what"]["en"] not in str(error)


def not_possible(tmp_path: Path, name: str) -> SoraError:
    """An error of the engine's whose advice holds the very fact that helps."""
    engine = Engine(tmp_path, tmp_path / "out", env={})
    ask: dict[str, Callable[[], object]] = {
        "a wrong length": lambda: engine.catalogue.check_choice("sora-2", "5", "1280x720"),
        "a model that is no more": lambda: engine.catalogue.check_availability(
            "doubao-seedance-1-5-pro", "5", "1280x720", "cometapi"
        ),
        "a missing key": lambda: engine.providers.client("cometapi"),
    }
    with pytest.raises(SoraError) as caught:
        ask[name]()
    engine.close()
    return caught.value


@pytest.mark.parametrize("tongue", messages.LANGUAGES)
@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("a wrong length", ("4, 8, 12, 16, 20",)),
        ("a model that is no more", ("seedance-2-5, 5 s, 1280x720", "sora models --refresh")),
        ("a missing key", ("COMETAPI_KEY", str(Path("keys", "cometapi")), "sandbox")),
    ],
)
def test_no_language_loses_a_fact(tmp_path: Path, name: str, facts: tuple[str, ...], tongue: str) -> None:
    """What is allowed, what is nearest, where the key goes: told in every language."""
    error = not_possible(tmp_path, name).changed(language=tongue)
    assert [fact for fact in facts if fact not in str(error)] == []


def test_a_network_failure_is_told_by_its_class() -> None:
    """Never by its words."""
    assert classify_network_error(requests.exceptions.SSLError("x")) == "tls"
    assert classify_network_error(requests.exceptions.ConnectionError(ssl.SSLError("x"))) == "tls"
    assert classify_network_error(requests.exceptions.ProxyError("x")) == "proxy"
    assert classify_network_error(NoPySocks("x")) == "socks"
    assert classify_network_error(requests.exceptions.ConnectionError("certificate proxy")) == "network"


@pytest.mark.parametrize("tongue", messages.LANGUAGES)
def test_it_is_the_same_text_everywhere(
    tongue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the command line and in its JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SORA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SORA_LANGUAGE", tongue)
    arguments = ["run", "x [sandbox: refuse=quota]", "--provider", "sandbox", "--model", "sora-2"]
    assert main([*arguments, "--json"]) == 3
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert told["kind"] == "no_balance"
    assert err.splitlines()[-1] == f"sora: {told['text']}"
    if tongue != "en":
        assert told["text"].startswith(WORDS["kind"]["no_balance"]["what"][tongue])
    assert WORDS["charge"]["none"][tongue] in told["text"]


def test_wrong_usage_is_told_in_the_language_of_the_variable() -> None:
    """Before there is an engine, whose settings would say it."""
    for tongue, kind in (("vi", "wrong_choice"), ("zh", "wrong_choice")):
        done = subprocess.run(
            [sys.executable, str(PACK / "sora.py"), "fly"],
            cwd=PACK, env=os.environ | {"SORA_LANGUAGE": tongue, "PYTHONIOENCODING": "utf-8"},
            capture_output=True, encoding="utf-8", timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert WORDS["kind"][kind]["what"][tongue] in done.stderr


@pytest.mark.parametrize("tongue", messages.LANGUAGES)
def test_a_warning_is_told_in_the_users_language(tongue: str) -> None:
    """With the model, the gateway and the catalogue's own note."""
    unknown = VideoRequest(provider="cometapi", prompt="x", model="sora-2", seconds="4", size="1280x720")
    told = Catalogue.shipped().warning(unknown, None, tongue)
    assert told.startswith(WORDS["warnings"]["perhaps_gone"][tongue].split("{")[0])
    assert all(fact in told for fact in ("cometapi", "sora-2", "OpenAI ended its own API"))
    beta = Catalogue.shipped().warning(dataclasses.replace(unknown, model="omni-fast"), None, tongue)
    assert all(fact in beta for fact in ("omni-fast", "a beta"))
    assert (beta == "omni-fast: a beta; whether it takes more than 4 s is unknown.") == (tongue == "en")


def test_a_language_that_is_none(tmp_path: Path) -> None:
    """The doctor names it; errors are shown in English."""
    settings = Settings(home=tmp_path, output=tmp_path, env={"SORA_LANGUAGE": "xx"})
    assert any("SORA_LANGUAGE" in fault.message for fault in settings.read().faults())
    assert settings.read().shown_language == "en"
    assert "Nothing was spent" in str(RequestRejectedError("no").changed(language="xx"))
    (tmp_path / "settings.toml").write_text('language = "vi"', encoding="utf-8")
    assert Settings(home=tmp_path, output=tmp_path, env={}).read().shown_language == "vi"


def test_the_text_of_an_error_depends_on_nothing_but_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine that was made before, no variable, and no file that may be slow or away."""
    before = str(RequestRejectedError("no"))
    (tmp_path / "settings.toml").write_text('language = "vi"', encoding="utf-8")
    monkeypatch.setenv("SORA_LANGUAGE", "vi")
    for _ in range(2):  # of two in one process none speaks for the other
        Engine(tmp_path, tmp_path / "out").close()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was opened")

    for owner, name in ((builtins, "open"), (io, "open"), (os, "stat")):
        monkeypatch.setattr(owner, name, refuse)
    now = str(RequestRejectedError("no"))
    monkeypatch.undo()
    assert now == before


def test_an_error_does_not_change() -> None:
    """Who waits for the same video gets one of his own; what one does to it changes nobody else's."""
    error = GatewayError("slow", hint="`sora resume JOB`", code="x", retry_after_s=3, http_status=502)
    with pytest.raises(AttributeError):
        error.charge = "none"
    other = error.with_job("j1").changed(charge="possible")
    assert (error.charge, error.job, error.hint) == ("charged", "", "`sora resume JOB`")
    assert (other.charge, other.job, other.hint) == ("possible", "j1", "`sora resume j1`")
    assert (type(other), other.args, other.code, other.retry_after_s, other.http_status) == (
        GatewayError, ("slow",), "x", 3, 502,
    )  # fmt: skip
    with contextlib.suppress(GatewayError):
        raise error from ValueError("why")
    assert str(error.changed().__cause__) == "why"
