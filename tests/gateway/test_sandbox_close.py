"""Closing the sandbox while it renders."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_sandbox_setup import Gateway


def test_no_thread_is_left_in_a_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture under way is waited for, and no other one is begun: a thread that is in FFmpeg or OpenCV when Python
    ends would abort the process (until Python 3.14), and `sora run` would end with -6 after a Ctrl-C."""
    began, go_on, pictures = threading.Event(), threading.Event(), []

    def film(*_: object) -> Iterator[Any]:
        while True:
            pictures.append(len(pictures))
            began.set()
            assert go_on.wait(20)
            yield None

    monkeypatch.setattr("sora_jobs.sandbox.renders.film", film)
    gateway = Gateway(tmp_path / "sandbox")
    gateway.made()
    assert began.wait(20)
    closing = threading.Thread(target=gateway.close)
    closing.start()
    closing.join(1.5)  # as long as it takes while a picture takes longer than any should
    assert closing.is_alive()
    go_on.set()
    closing.join(20)
    assert not closing.is_alive()
    assert [thread.name for thread in threading.enumerate() if "render" in thread.name] == []
    assert pictures == [0]
