"""The command line as a person and a script meet it: help, completion, bars, and JSON that comes in time."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.cli.main import build_parser, main

from ..failures import failed_as

PACK = Path(__file__).parents[2]
COMMANDS: dict[str, argparse.ArgumentParser] = next(
    action.choices for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
)
SMALL = ["--provider", "sandbox", "--model", "seedance-2-5", "--seconds", "4", "--size", "854x480"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SORA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SORA_SANDBOX_SECONDS", "1")
    monkeypatch.setenv("SORA_POLL_SECONDS", "0.05")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_says_what_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In lines that fit a terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    command = COMMANDS[name]
    assert command.description
    assert [action.dest for action in command._actions if not action.help] == []
    text = command.format_help()
    assert [line for line in text.splitlines() if len(line) > 105] == []
    assert "--json" in text


def test_the_examples_are_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of an example can be read by the parser that it stands in."""
    texts = [command.epilog or "" for command in (build_parser(), *COMMANDS.values())]
    examples = [match for text in texts for match in re.findall(r"^  sora (.+?)(?: {2,}\S.*| [|>] .+)?$", text, re.M)]
    assert len(examples) > 15
    for example in examples:
        words = [plain or quoted for quoted, plain in re.findall(r'"([^"]+)"|(\S+)', example)]
        assert callable(build_parser().parse_args(words).command), example


def test_a_shortened_option_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """`--js` would otherwise be taken for --json by one half of the command line and not by the other."""
    assert main(["models", "--js"]) == 2
    assert "--js" in capsys.readouterr().err


# -- completion -------------------------------------------------------------------------------------------------------


def completed(script: Path, *words: str) -> list[str]:
    """What bash offers for the last word."""
    line = " ".join(words)
    ask = f'source "{script}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="{line}"; COMP_POINT={len(line)}; '
    ask += '_shtab_sora; printf "%s\\n" "${COMPREPLY[@]}"'
    run = subprocess.run(
        ["bash", "-c", ask, "bash", *words], capture_output=True, encoding="utf-8", timeout=20, check=True
    )
    return run.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None or os.name != "posix", reason="asks bash")
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands, options, states, models, the owner's own providers, files and folders."""
    pytest.importorskip("shtab")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "providers.toml").write_text(
        '[provider.mine]\nbase_url = "https://x.org"\nkey = false\n', encoding="utf-8"
    )
    (tmp_path / "film.mp4").touch()
    (tmp_path / "films").mkdir()
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out, encoding="utf-8")
    assert completed(script, "sora", "r") == ["run", "remix", "resume", "restore"]
    assert completed(script, "sora", "run", "x", "--mod") == ["--model"]
    assert completed(script, "sora", "run", "x", "--model", "sora") == ["sora-2", "sora-2-pro"]
    assert completed(script, "sora", "run", "x", "--provider", "") == ["cometapi", "sandbox", "mine"]
    assert "unknown" in completed(script, "sora", "jobs", "--state", "")
    assert sorted(completed(script, "sora", "frames", "fil")) == ["film.mp4", "films"]
    assert completed(script, "sora", "demo", "--out", "fil") == ["films"]


@pytest.mark.parametrize("shell", ["zsh", "fish", "tcsh", "powershell"])
def test_other_shells_get_their_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with every command in it, also as JSON."""
    pytest.importorskip("shtab")
    assert main(["completion", shell, "--json"]) == 0
    given = json.loads(capsys.readouterr().out)
    assert given["shell"] == shell
    assert all(name in given["script"] for name in COMMANDS)


def test_completion_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no requirement of the pack."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 7
    assert "pip install shtab" in capsys.readouterr().err
    assert main(["completion", "bash", "--json"]) == 7
    failed_as(json.loads(capsys.readouterr().out), "missing_package")


# -- bars and JSON ----------------------------------------------------------------------------------------------------


def shell(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(PACK / "sora.py"), *arguments]
    return subprocess.Popen(command, cwd=PACK, stdout=subprocess.PIPE, encoding="utf-8", **options)


def test_no_bar_where_nobody_sees_it(tmp_path: Path) -> None:
    """A log gets lines and no control characters."""
    with shell("run", "a boat", *SMALL, "--out", str(tmp_path), stderr=subprocess.PIPE) as process:
        path, told = process.communicate(timeout=180)
    with shell(
        "frames", path.split("  ")[0], "--limit", "30", "--out", str(tmp_path / "f"), stderr=subprocess.PIPE
    ) as process:
        _, more = process.communicate(timeout=180)
    assert re.fullmatch(r"ledger: .+\njob \w+, sandbox: video_\w+\n", told)
    assert more == ""


@pytest.mark.skipif(os.name != "posix", reason="opens a terminal of its own")
def test_a_bar_is_there_on_a_terminal_and_gone_at_the_end(tmp_path: Path) -> None:
    """While waiting and while decoding; what is left is what was said in lines."""
    shown, path = on_terminal("run", "a boat", *SMALL, "--out", str(tmp_path))
    assert re.search(r"rendering.* \d+%\|", shown)
    assert re.fullmatch(r"ledger: .+\njob \w+, sandbox: video_\w+", left_on(shown))
    shown, _ = on_terminal("frames", path.split("  ")[0], "--limit", "30", "--out", str(tmp_path / "f"))
    assert re.search(r"frames \d+ of 30 \|", shown)
    assert left_on(shown) == ""


def on_terminal(*arguments: str) -> tuple[str, str]:
    """(what a terminal got as stderr, stdout)."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = b""
    with shell(*arguments, stderr=theirs) as process:
        os.close(theirs)
        try:
            while piece := os.read(ours, 4096):
                shown += piece
        except OSError:  # Linux: the other side is closed
            pass
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(ours)
    return shown.decode(), out


def left_on(shown: str) -> str:
    """What can be read on the screen afterwards: of each line the last thing that was written over it."""
    lines = [line.rstrip("\r").rpartition("\r")[2].strip() for line in shown.split("\n")]
    return "\n".join(line for line in lines if line)


def test_a_script_learns_where_the_sandbox_is() -> None:
    """One object, at once, while it runs on."""
    with shell("sandbox", "--json", "--dialect", "litellm", stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        process.terminate()
    assert told["family"] == "litellm"
    assert told["url"].startswith("http://127.0.0.1:")
