"""Names that changed once: the old one is read in this release and names the new one, which goes first."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from sora_jobs.cli.main import main
from sora_jobs.config.settings import Settings
from sora_jobs.diagnostics.doctor import examine
from sora_jobs.engine import Engine
from sora_jobs.sandbox.families import find_family
from sora_jobs.util import renamed

from .test_cli_help import shell


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What this process has told so far, which other tests may have made it tell."""
    lines: set[str] = set()
    monkeypatch.setattr(renamed, "_told", lines)
    return lines


def settings(home: Path, text: str = "", **env: str) -> Settings:
    (home / "settings.toml").write_text(text, encoding="utf-8")
    return Settings(home=home, output=home, env=env)


@pytest.mark.parametrize(
    ("env", "on"),
    [
        ({"SORA_RESCUE": "0"}, False),
        ({"SORA_RESCUE": "0", "SORA_BACKGROUND_DOWNLOADS": "1"}, True),
        ({"SORA_RESCUE": "1", "SORA_BACKGROUND_DOWNLOADS": "0"}, False),
        ({"SORA_RESCUE": "0", "SORA_BACKGROUND_DOWNLOADS": " "}, False),
    ],
)
def test_the_variable_of_background_downloads(tmp_path: Path, env: Mapping[str, str], on: bool) -> None:
    assert settings(tmp_path, "rescue = true", **env).read().background_downloads is on


@pytest.mark.parametrize(
    ("env", "family"),
    [
        ({"SORA_SANDBOX_SPEAK": "sglang"}, "sglang"),
        ({"SORA_SANDBOX_SPEAK": "sglang", "SORA_SANDBOX_DIALECT": "litellm"}, "litellm"),
    ],
)
def test_the_variable_of_the_sandbox(env: Mapping[str, str], family: str) -> None:
    assert find_family(env=env).name == family


@pytest.mark.parametrize(
    ("lines", "allowed"),
    [
        ("from_elsewhere = true", True),
        ("from_elsewhere = true\nallow_remote_changes = false", False),
        ("from_elsewhere = false\nallow_remote_changes = true", True),
    ],
)
def test_the_switch_of_the_page(tmp_path: Path, lines: str, allowed: bool) -> None:
    here = settings(tmp_path, f"[page]\n{lines}\n")
    assert here.read().allow_remote_changes is allowed
    assert here.read().faults() == []


def test_the_log_names_the_new_one_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    env = {"SORA_RESCUE": "0", "SORA_SANDBOX_SPEAK": "sglang"}
    here = settings(tmp_path, "[page]\nfrom_elsewhere = true\n", **env)
    for _ in range(3):
        _ = here.read().background_downloads, here.read().allow_remote_changes, find_family(env=env)
    lines = [record.message for record in caplog.records if record.name == "sora"]
    assert [line.split(" is now called ")[1].split(";")[0] for line in lines] == [
        "SORA_BACKGROUND_DOWNLOADS",
        "page.allow_remote_changes",
        "SORA_SANDBOX_DIALECT",
    ]


def test_new_names_are_told_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nor is anybody who sets none of them, in the log or by the doctor."""
    env = {"SORA_BACKGROUND_DOWNLOADS": "0", "SORA_SANDBOX_DIALECT": "sglang"}
    for here in (settings(tmp_path), settings(tmp_path, "[page]\nallow_remote_changes = true\n", **env)):
        _ = here.read().background_downloads, here.read().allow_remote_changes, find_family(env=here.env)
        assert here.read().renamed() == []
    assert not [record for record in caplog.records if record.name == "sora"]


def test_the_doctor_tells_each_old_name(tmp_path: Path) -> None:
    """Also where the new one goes before it, so that the old line is found and removed."""
    env = {"SORA_RESCUE": "0", "SORA_BACKGROUND_DOWNLOADS": "0", "SORA_SANDBOX_SPEAK": "sglang"}
    (tmp_path / "settings.toml").write_text("[page]\nfrom_elsewhere = true\n", encoding="utf-8")
    engine = Engine(tmp_path, tmp_path / "output", env=env)
    try:
        found = [
            finding.text for finding in examine(engine) if finding.level == "warning" and "now called" in finding.text
        ]
    finally:
        engine.close()
    assert [text.split(" is now called ")[0] for text in found] == [
        "SORA_RESCUE",
        "SORA_SANDBOX_SPEAK",
        f"{tmp_path / 'settings.toml'}: page.from_elsewhere",
    ]


def test_an_unknown_setting_is_not_offered_the_old_name(tmp_path: Path) -> None:
    (fault,) = settings(tmp_path, "budgte = 3").read().faults()
    assert "page.allow_remote_changes" in fault.hint
    assert "from_elsewhere" not in fault.hint


@pytest.mark.outside
def test_the_option_of_the_sandbox(capsys: pytest.CaptureFixture[str]) -> None:
    """`--speak` is accepted, hidden, and told on stderr; `--dialect` goes before it."""
    with pytest.raises(SystemExit):
        main(["sandbox", "--help"])
    shown = capsys.readouterr().out
    assert "--dialect" in shown
    assert "--speak" not in shown
    for more, family in (((), "litellm"), (("--dialect", "sglang"), "sglang")):
        with shell("sandbox", "--json", "--speak", "litellm", *more, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            line = process.stdout.readline()
            process.terminate()
            said = process.stderr.read()
        assert f'"family": "{family}"' in line
        assert said.count("--speak is now called --dialect") == 1
