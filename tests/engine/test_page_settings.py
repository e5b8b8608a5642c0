"""What the page may see and change: never a secret, never more money than the owner wants."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.config.keys import default_provider, write_key
from sora_jobs.config.providers import load_provider
from sora_jobs.config.settings import Settings
from sora_jobs.errors import InvalidInputError
from sora_jobs.ledger.ledger import Ledger
from sora_jobs.views.settings import change, shown

from ..failures import failing

KEY = "sk-canary-0123456789-wxyz"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", output=tmp_path / "output", env={})


def look(settings: Settings, *, local: bool = True) -> dict[str, Any]:
    return shown(settings.read(), Ledger(settings.home), local=local)


def provider(settings: Settings, name: str = "cometapi") -> dict[str, str]:
    return next(row for row in look(settings)["providers"] if row["name"] == name)


def owner_writes(settings: Settings, text: str) -> None:
    settings.home.mkdir(exist_ok=True)
    settings.file.write_text(text, encoding="utf-8")


def test_a_key_is_written_for_its_owner_alone_and_only_its_end_is_told(settings: Settings) -> None:
    assert provider(settings)["key"] == "unset"
    write_key(settings.read(), "cometapi", f"  {KEY}\n")
    row = provider(settings)
    assert (row["key"], row["ends_in"]) == ("set", "wxyz")
    assert KEY not in json.dumps(look(settings))
    assert load_provider(settings.read(), "cometapi").key(settings.env) == KEY
    if os.name == "posix":
        file = settings.home / "keys" / "cometapi"
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [file.name for file in (settings.home / "keys").iterdir()] == ["cometapi"]
    write_key(settings.read(), "cometapi", "")
    assert provider(settings)["key"] == "unset"


def test_of_a_short_key_nothing_is_told(settings: Settings) -> None:
    write_key(settings.read(), "cometapi", "sk-123456")
    told = {"name": "cometapi", "key": "set", "ends_in": "", "url": "", "error": "", "balance": True}
    assert provider(settings) | {"url": ""} == told


def test_a_key_in_the_environment_goes_first(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, output=tmp_path, env={"COMETAPI_KEY": KEY})
    write_key(settings.read(), "cometapi", "sk-another-0123456789")
    assert (provider(settings)["key"], provider(settings)["ends_in"]) == ("environment", "")


@pytest.mark.parametrize(
    ("env", "files", "wanted"),
    [
        ({}, {}, "sandbox"),
        ({"COMETAPI_KEY": KEY}, {}, "cometapi"),
        ({"COMETAPI_KEY": " "}, {}, "sandbox"),
        ({"COMETAPI_KEY": "two words"}, {}, "cometapi"),
        ({"OPENAI_API_KEY": KEY, "MINE_KEY": KEY}, {}, "sandbox"),
        ({"COMETAPI_BASE_URL": "no address"}, {}, "sandbox"),
        ({}, {"keys/cometapi": KEY}, "cometapi"),
        ({}, {"keys/cometapi": "\n"}, "sandbox"),
        ({}, {"keys/cometapi.txt": KEY}, "sandbox"),
        ({}, {"keys/mine": KEY, "providers.toml": "[provider.mine]\nbase_url = 'https://mine.example'\n"}, "sandbox"),
        ({}, {"providers.toml": "[provider.mine"}, "sandbox"),
        ({}, {"keys/cometapi": KEY, "providers.toml": "[provider.mine"}, "cometapi"),
    ],
)
def test_a_new_node_names_cometapi_once_it_has_a_key(
    tmp_path: Path, env: dict[str, str], files: dict[str, str], wanted: str
) -> None:
    """Until then the sandbox, whatever else is set or wrong; no variable but COMETAPI_KEY chooses anything."""
    settings = Settings(home=tmp_path / "home", output=tmp_path / "output", env=env)
    for name, text in files.items():
        (settings.home / name).parent.mkdir(parents=True, exist_ok=True)
        (settings.home / name).write_text(text, encoding="utf-8")
        (settings.home / name).chmod(0o600)
    assert default_provider(settings) == wanted


def test_storing_and_removing_a_key_moves_it(settings: Settings) -> None:
    """As the page is told with the settings; a key that others can read, and that is refused, is one all the same."""
    assert look(settings)["default_provider"] == "sandbox"
    write_key(settings.read(), "cometapi", KEY)
    assert look(settings)["default_provider"] == "cometapi"
    (settings.home / "keys" / "cometapi").chmod(0o644)
    assert look(settings)["default_provider"] == "cometapi"
    write_key(settings.read(), "cometapi", "")
    assert look(settings)["default_provider"] == "sandbox"


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel", "x" * 5000, "nul\0"])
def test_what_is_no_key_is_not_kept(settings: Settings, key: str) -> None:
    write_key(settings.read(), "cometapi", KEY)
    with failing(InvalidInputError, "invalid_key") as caught:
        write_key(settings.read(), "cometapi", key)
    assert key not in str(caught.value)
    assert load_provider(settings.read(), "cometapi").key(settings.env) == KEY


@pytest.mark.parametrize("name", ["sandbox", "nobody", "../keys/x", ""])
def test_no_key_for_who_needs_none(settings: Settings, name: str) -> None:
    with failing(InvalidInputError, "no_key_needed" if name == "sandbox" else "unknown_provider", name):
        write_key(settings.read(), name, KEY)
    assert not settings.home.exists()


def test_the_page_changes_what_it_may(settings: Settings) -> None:
    change(settings.read(), {"language": "vi", "background_downloads": False}, local=True)
    assert (settings.read().language, settings.read().background_downloads) == ("vi", False)
    change(settings.read(), {"language": "zh"}, local=True)
    assert (settings.read().language, settings.read().background_downloads) == ("zh", False)


def test_what_the_owner_wrote_goes_first(settings: Settings) -> None:
    """The page says so, instead of seeming to change it; and settings.toml is never touched."""
    owner_writes(settings, 'language = "en"')
    assert look(settings)["may"]["language"] is False
    assert look(settings)["why"]["language"] == {"code": "fixed", "by": str(settings.file)}
    with failing(InvalidInputError, "setting_locked", "language", "settings.toml"):
        change(settings.read(), {"language": "vi", "background_downloads": False}, local=True)
    assert (settings.read().language, settings.read().background_downloads) == ("en", True)
    assert settings.file.read_text(encoding="utf-8") == 'language = "en"'
    assert not settings.page_file.exists()


def test_the_budget_is_the_owners(settings: Settings) -> None:
    """No page changes it, unless the owner says that it may; taken back, what a page wished counts no more."""
    assert look(settings)["may"]["budget"] is False
    with failing(InvalidInputError, "setting_locked", "usd_per_day", "may_change_budget"):
        change(settings.read(), {"usd_per_day": 1000}, local=True)
    owner_writes(settings, "[page]\nmay_change_budget = true\n")
    change(settings.read(), {"usd_per_day": 3, "usd_per_job": 1.5}, local=True)
    assert (settings.read().budget.usd_per_day, settings.read().budget.usd_per_job) == (3, 1.5)
    owner_writes(settings, "")
    assert settings.read().budget.usd_per_day == 20


def test_a_wish_in_the_pages_file_alone_raises_nothing(settings: Settings) -> None:
    """Who can write that file can write settings.toml, too; but a file that was left from before is not enough."""
    settings.home.mkdir()
    settings.page_file.write_text('{"budget.usd_per_day": 1000}', encoding="utf-8")
    assert settings.read().budget.usd_per_day == 20


def test_money_and_keys_want_the_machine_itself(settings: Settings) -> None:
    owner_writes(settings, "[page]\nmay_change_budget = true\n")
    assert look(settings, local=False)["may"] == {
        "language": True,
        "background_downloads": True,
        "budget": False,
        "keys": False,
    }
    with failing(InvalidInputError, "setting_locked", "usd_per_day", "allow_remote_changes"):
        change(settings.read(), {"usd_per_day": 1000}, local=False)
    owner_writes(settings, "[page]\nmay_change_budget = true\nallow_remote_changes = true\n")
    change(settings.read(), {"usd_per_day": 9}, local=False)
    assert settings.read().budget.usd_per_day == 9


@pytest.mark.parametrize(
    "wish",
    [{"language": "fr"}, {"background_downloads": "no"}, {"home": "/tmp"}, {"usd_per_day": -1}, {"usd_per_job": True},
     {"usd_per_day": float("nan")}, {"usd_per_day": "20"}, {"database_url": "x"}],
)  # fmt: skip
def test_what_is_no_setting_is_refused(settings: Settings, wish: dict[str, Any]) -> None:
    owner_writes(settings, "[page]\nmay_change_budget = true\n")
    [name] = wish
    unknown = name in ("home", "database_url")
    with failing(InvalidInputError, "unknown_setting" if unknown else "invalid_setting", name):
        change(settings.read(), wish, local=True)
    assert not settings.page_file.exists()


def test_a_broken_page_file_stops_nothing(settings: Settings) -> None:
    settings.home.mkdir()
    for text in ("{", "[]", "nul\0"):
        settings.page_file.write_text(text, encoding="utf-8")
        assert (settings.read().language, settings.read().background_downloads) == ("en", True)
