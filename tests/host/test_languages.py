"""The host serves what it shows in its own language: names, tooltips, menus and help."""

from __future__ import annotations

import pytest
import requests

from .comfy import ComfyUI


@pytest.mark.parametrize(("language", "name"), [("en", "Create Sora Job"), ("zh", "创建 Sora 任务")])
def test_names_and_menus_are_served(comfy: ComfyUI, language: str, name: str) -> None:
    """All of locales/, merged by the host with those of the other packs."""
    told = comfy.get("/i18n")[language]
    assert told["nodeDefs"]["CreateSoraJob"]["display_name"] == name
    ours = [
        node for node, info in comfy.get("/object_info").items() if info["python_module"] == "custom_nodes.sora-jobs"
    ]
    assert ours
    assert [node for node in ours if node not in told["nodeDefs"]] == []
    assert "sora-jobs_refresh" in told["commands"]
    assert "sora-jobs_settings" in told["settings"]
    assert "Sora: refresh models" in told["menuLabels"]


@pytest.mark.parametrize("page", ["CreateSoraJob/en.md", "CreateSoraJob/zh.md", "CreateSoraJob.md"])
def test_help_is_served(comfy: ComfyUI, page: str) -> None:
    """In a language, and in place of one that there is not."""
    answer = requests.get(f"{comfy.url}/extensions/sora-jobs/docs/{page}", timeout=30)
    assert answer.status_code == 200
    assert answer.content.decode().startswith("# ")
