"""Keys, addresses, imports: the ground that later issues build on."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sora_jobs
from sora_jobs.config.providers import check_file, checked_base_url, is_loopback, load_provider, provider_names
from sora_jobs.config.settings import Settings
from sora_jobs.errors import InvalidInputError, MissingKeyError, RequestRejectedError, SoraError
from sora_jobs.util.redact import redact, register_secret

from ..failures import failing

ENGINE = Path(sora_jobs.__file__).parent


def settings(tmp_path: Path, **env: str) -> Settings:
    return Settings(home=tmp_path, output=tmp_path, env=env)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer sk-verysecret123",
        "{'authorization': 'bearer verysecret123'}",
        "key sk-verysecret123.",
        "https://user:verysecret123@host/x",
        "https://host/x?X-Signature=verysecret123&b=1",
    ],
)
def test_secrets_are_taken_out_of_texts(text: str) -> None:
    """Bearer tokens, keys, passwords in addresses and signed queries."""
    assert "verysecret123" not in redact(text)
    assert "verysecret123" not in str(RequestRejectedError(text, hint=text))


def test_a_key_that_was_read_is_hidden_whatever_it_looks_like() -> None:
    """Also one without a known form."""
    register_secret("mykeyhasnoform")
    assert redact("it said mykeyhasnoform!") == "it said [hidden]!"


def test_a_secret_inside_another_leaves_nothing_of_it() -> None:
    """A proxy's password may be a piece of a key; and two of them may overlap."""
    register_secret("pieceofit")
    register_secret("ofitandmore")
    assert redact("key sk-beforepieceofitafter.") == "key [hidden]."
    assert redact("https://u:xpieceofitx@h/y?a=pieceofit pieceofitandmore") == "https://[hidden]@h/y?[hidden] [hidden]"
    assert redact(redact("bearer xpieceofitx")) == "bearer [hidden]"


def test_every_error_says_what_became_of_the_money() -> None:
    """Each class of the tree has an exit status and words about money."""

    def tree(kind: type[SoraError]) -> list[type[SoraError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]

    for kind in tree(SoraError)[1:]:
        assert 2 <= kind.exit_code <= 7
        assert "spent" in str(kind("What.", hint="Do.", job="j1")) or "bought" in str(kind("What."))
        assert kind.__doc__
        assert kind.__name__ in str(sys.modules[kind.__module__].__doc__)


def test_a_missing_key_names_the_variable_or_how_to_name_one(tmp_path: Path) -> None:
    """Of a provider whose table names none, too."""
    row = '[provider.my-gpu]\nbase_url = "https://x.org"\n'
    for more, part in (
        ('key_variable = "GPU"\n', "Set GPU in the environment"),
        ("", 'set MY_GPU_KEY in the environment and `key_variable = "MY_GPU_KEY"` under [provider.my-gpu] in'),
    ):
        (tmp_path / "providers.toml").write_text(row + more, encoding="utf-8")
        with failing(MissingKeyError, "missing_key") as caught:
            load_provider(settings(tmp_path).read(), "my-gpu").key({})
        assert part in caught.value.hint
        assert str(tmp_path / "keys" / "my-gpu") in caught.value.hint
    (tmp_path / "providers.toml").write_text(row + 'key_variable = "MY_GPU_KEY"\n', encoding="utf-8")
    assert load_provider(settings(tmp_path).read(), "my-gpu").key({"MY_GPU_KEY": "sk-from-env"}) == "sk-from-env"


def test_a_key_comes_from_the_environment_or_its_file(tmp_path: Path) -> None:
    """The variable wins; the file must be for its owner alone."""
    cometapi = load_provider(settings(tmp_path).read(), "cometapi")
    with failing(MissingKeyError, "missing_key", "COMETAPI_KEY"):
        cometapi.key({})
    file = tmp_path / "keys" / "cometapi"
    file.parent.mkdir()
    file.write_text("sk-from-file\n", encoding="utf-8")
    file.chmod(0o600)
    assert cometapi.key({}) == "sk-from-file"
    assert cometapi.key({"COMETAPI_KEY": "sk-from-env"}) == "sk-from-env"
    if os.name == "posix":
        file.chmod(0o640)
        with failing(InvalidInputError, "key_file_not_private", file):
            cometapi.key({})
    with failing(InvalidInputError, "invalid_key"):
        cometapi.key({"COMETAPI_KEY": "sk-a\nX-Header: b"})
    file.write_bytes(b"sk-\xff")
    file.chmod(0o600)
    with failing(InvalidInputError, "key_file_unreadable", file):
        cometapi.key({})


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://a.com", "https://a.com"),
        ("https://a.com/v1/", "https://a.com"),
        ("https://a.com/proxy/v1", "https://a.com/proxy"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_a_base_url_may_have_a_v1_or_not(given: str, base: str) -> None:
    """Both forms stand in the gateways' own documents."""
    assert checked_base_url(given, "X") == base


@pytest.mark.parametrize(
    "url",
    [
        "http://a.com", "ftp://a.com", "a.com", "", "https://u:p@a.com", "https://a.com?x=1", "https://[::1",
        "https://a.com:abc", "https://a.com:99999", "https://exa mple.com", "https://:p@a.com", "https://evil\\@a.com",
        "https://%61.com",
    ],
)  # fmt: skip
def test_an_address_that_would_leak_the_key_is_refused(url: str) -> None:
    """Plain http is for loopback only."""
    with failing(InvalidInputError, "url_not_https" if url == "http://a.com" else "url_invalid") as caught:
        checked_base_url(url, "X")
    assert caught.value.message.startswith("X ")


def test_loopback_is_told_by_its_name() -> None:
    """Nothing is resolved for it."""
    assert all(map(is_loopback, ["localhost", "127.0.0.9", "::1"]))
    assert not any(map(is_loopback, ["example.com", "localhost.evil.com", "0.0.0.0", ""]))


def test_the_owner_adds_providers_in_a_file(tmp_path: Path) -> None:
    """And a mistake in it is named."""
    file = tmp_path / "providers.toml"
    file.write_text(
        '[provider.mine]\nbase_url = "https://x.org/v1"\nkey_variable = "MINE"\nremix = true\n', encoding="utf-8"
    )
    assert provider_names(settings(tmp_path).read()) == ["cometapi", "sandbox", "mine"]
    mine = load_provider(settings(tmp_path).read(), "mine")
    assert (mine.base_url, mine.key({"MINE": "k"})) == ("https://x.org", "k")
    for wrong in (
        "[provider.mine",
        "provider = 3",
        '[provider.mine]\nbase_url = "https://x"\nkey = "k"',
        "[provider.X]",
    ):
        file.write_text(wrong, encoding="utf-8")
        (fault,) = check_file(settings(tmp_path).read())
        assert "providers.toml" in fault.message
        assert provider_names(settings(tmp_path).read())[:2] == ["cometapi", "sandbox"]


def test_a_wrong_address_is_its_own_providers_trouble(tmp_path: Path) -> None:
    """The names are there, and the others work: ComfyUI asks for the names when it loads the pack."""
    wrong = settings(tmp_path, COMETAPI_BASE_URL="http://example.com")
    assert provider_names(wrong.read()) == ["cometapi", "sandbox"]
    assert load_provider(wrong.read(), "sandbox").name == "sandbox"
    with failing(InvalidInputError, "url_not_https", "COMETAPI_BASE_URL"):
        load_provider(wrong.read(), "cometapi")
    (tmp_path / "providers.toml").mkdir()
    assert provider_names(wrong.read()) == ["cometapi", "sandbox"]
    (fault,) = check_file(wrong.read())
    assert "providers.toml" in fault.message


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_a_pace_that_is_no_pace_is_refused(tmp_path: Path, value: str) -> None:
    """The error names the variable."""
    with failing(InvalidInputError, "invalid_setting", f"SORA_POLL_SECONDS is {value!r}"):
        settings(tmp_path, SORA_POLL_SECONDS=value).read().poll_s()


def test_the_engine_never_imports_the_host() -> None:
    """Neither ComfyUI nor torch, by any way of writing it (the lint rule says the same while one types)."""
    banned = {"torch", "comfy", "comfy_api", "comfy_execution", "server", "folder_paths", "nodes"}
    for file in ENGINE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert not {name.split(".")[0] for name in names} & banned, file


def test_importing_the_engine_loads_nothing_heavy() -> None:
    """SQLAlchemy, cv2, av, aiohttp and Pillow come at first use, so that ComfyUI starts as fast as without us."""
    heavy = {"sqlalchemy", "cv2", "av", "aiohttp", "PIL", "torch"}
    script = f"import sys, sora_jobs.engine; print(*{heavy} & set(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", cwd=ENGINE.parent, check=True, timeout=60
    )
    assert run.stdout.strip() == ""
