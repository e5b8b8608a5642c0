"""What a user of Windows meets, tried on each system: keys and settings as Windows' programs write them, paths in TOML,
Ctrl-C, and where others may read a key."""

from __future__ import annotations

import codecs
import threading
from pathlib import Path

import pytest
from sora_jobs.cli import tool_commands
from sora_jobs.cli.main import main
from sora_jobs.config.providers import check_file, load_provider
from sora_jobs.config.settings import Settings
from sora_jobs.diagnostics import doctor
from sora_jobs.engine import Engine
from sora_jobs.errors import InvalidInputError, MissingKeyError
from sora_jobs.util.bounded_read import read_text

from ..failures import failing


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    (tmp_path / "keys").mkdir()
    return Settings(home=tmp_path, output=tmp_path / "output", env={})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_key_is_read_as_windows_programs_write_it(here: Settings, encoding: str) -> None:
    """PowerShell 5 writes UTF-16 with its mark: `echo KEY > keys\\cometapi`."""
    file = here.home / "keys" / "cometapi"
    file.write_text("sk-test-key-123\r\n", encoding=encoding, newline="")
    file.chmod(0o600)
    assert load_provider(here.read(), "cometapi").key({}) == "sk-test-key-123"


def test_both_orders_of_utf_16_are_read_and_half_a_letter_is_not(tmp_path: Path) -> None:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        (tmp_path / "x").write_bytes(mark + "Bảo".encode(encoding))
        assert read_text(tmp_path / "x") == "Bảo"
    (tmp_path / "x").write_bytes(codecs.BOM_UTF16_LE + b"abc")
    with pytest.raises(ValueError, match="utf-16"):
        read_text(tmp_path / "x")


def test_a_key_saved_as_a_text_file_is_named(here: Settings) -> None:
    """Notepad adds the ending, and the Explorer hides it."""
    named = here.home / "keys" / "cometapi.txt"
    named.write_text("sk-test-key-123", encoding="utf-8")
    with failing(MissingKeyError, "missing_key", named, "cometapi, without an ending"):
        load_provider(here.read(), "cometapi").key({})
    named.rename(named.with_suffix(""))
    named.with_suffix("").chmod(0o600)
    assert load_provider(here.read(), "cometapi").key({}) == "sk-test-key-123"


@pytest.mark.parametrize("path", [r"C:\Users\me\ca.pem", r"\\server\share\ca.pem"])
def test_a_windows_path_in_double_quotes_says_how_it_is_written(here: Settings, path: str) -> None:
    """In either file of the owner's: TOML takes its backslashes for escapes."""
    (here.home / "providers.toml").write_text(f'[provider.cometapi]\nca_bundle = "{path}\\x"\n', encoding="utf-8")
    (fault,) = check_file(here.read())
    assert "'single quotes'" in fault.message
    here.file.write_text(f'database_url = "{path}\\x"\n', encoding="utf-8")
    assert any("'single quotes'" in fault.message for fault in here.read().faults())
    here.file.write_text("rescue = maybe\n", encoding="utf-8")
    assert not any("single" in fault.message for fault in here.read().faults())


def test_a_path_whose_escapes_are_valid_is_named_as_well(here: Settings) -> None:
    r"""`\t` and `\n` are letters of another kind, so that TOML finds nothing wrong."""
    (here.home / "providers.toml").write_text(
        '[provider.cometapi]\nca_bundle = "C:\\temp\\new.pem"\n', encoding="utf-8"
    )
    (fault,) = check_file(here.read())
    assert "'single quotes'" in fault.hint


def test_ctrl_c_reaches_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows passes it on between two waits only: each has a timeout."""
    timeouts: list[float | None] = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            timeouts.append(timeout)
            if len(timeouts) > 2:
                raise KeyboardInterrupt
            return False

    monkeypatch.setattr(tool_commands.threading, "Event", Event)
    monkeypatch.setattr("sora_jobs.sandbox.server.Sandbox.start", lambda sandbox: "")
    assert main(["sandbox", "--home", str(tmp_path)]) == 0
    assert len(timeouts) == 3
    assert all(timeout is not None and timeout <= 1 for timeout in timeouts)


@pytest.mark.parametrize("inside", [True, False])
def test_the_doctor_says_where_others_may_read_a_key(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    """A file on Windows has the permissions of its folder, and those of the user's profile are the user's."""
    monkeypatch.setattr(doctor, "WINDOWS", True)
    monkeypatch.setattr(Path, "home", lambda: tmp_path if inside else tmp_path / "profile")
    (here.home / "keys" / "cometapi").write_text("sk-test-key-123", encoding="utf-8")
    engine = Engine(here.home, here.output, env={"COMETAPI_BASE_URL": "http://127.0.0.1:9"})
    found = [finding for finding in doctor.examine(engine) if finding.name == "keys"]
    engine.close()
    assert [finding.level for finding in found] == ([] if inside else ["warning"])
    assert all("COMETAPI_KEY" in finding.text and "sk-test" not in finding.text for finding in found)


def test_a_fault_of_the_file_is_an_invalid_input(here: Settings) -> None:
    (here.home / "providers.toml").write_bytes(codecs.BOM_UTF16_LE + b"a")
    with pytest.raises(InvalidInputError):
        load_provider(here.read(), "cometapi")
