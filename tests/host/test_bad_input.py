"""Bad input gets a clear error in the real host, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .comfy import ComfyUI, RequestRejectedError
from .graphs import SORA, Graph, bought, create, image, node, wait


@pytest.fixture(autouse=True)
def nothing_is_sent(comfy: ComfyUI) -> Iterator[None]:
    """Not one job more at the sandbox after each of these."""
    before = len(comfy.sandbox_jobs())
    yield
    assert len(comfy.sandbox_jobs()) == before


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt": "  "}, ["prompt is empty"]),
        ({"extra_fields": "[1]"}, ["extra_fields is a JSON list, not an object"]),
        ({"extra_fields": '{"seconds": "12"}'}, ["'seconds' may not be sent", "the input `seconds`"]),
        ({"reference": ["0", 0]}, ["3 images", "ImageFromBatch"]),
        ({"last_reference": ["0", 0]}, ["no reference"]),
        ({"provider": "cometapi"}, ["COMETAPI_KEY", "keys/cometapi", "sandbox"]),
        ({"model": "wan2.6", "seconds": "5", "size": "1920x1080", "reference": ["9", 0]}, ["takes no reference image"]),
    ],
)
def test_a_wrong_request_says_what_is_wrong(comfy: ComfyUI, change: dict[str, Any], says: list[str]) -> None:
    """And that nothing was spent."""
    graph: Graph = {"0": image(batch=3), "9": image(), "1": create("a boat"), "2": wait("1")}
    graph["1"]["inputs"] |= change
    run = comfy.run(graph)
    assert not run.ok
    assert all(word in run.error for word in says), run.error
    assert "Nothing was spent" in run.error


def test_an_omitted_provider_is_cometapi(comfy: ComfyUI) -> None:
    """The host fills in no default of the schema, which is the sandbox while there is no key."""
    (_, about) = comfy.get("/object_info/CreateSoraJob")["CreateSoraJob"]["input"]["optional"]["provider"]
    assert about["default"] == "sandbox"
    graph = bought("a boat")
    del graph["1"]["inputs"]["provider"]
    assert "COMETAPI_KEY" in comfy.run(graph).error


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({**SORA, "seconds": "5"}, "Its lengths in seconds: 4, 8, 12"),
        ({**SORA, "size": "640x480"}, "Its sizes: 1280x720, 720x1280"),
        ({"model": "sora-3"}, "Did you mean"),
        ({"provider": "nobody"}, "cometapi, sandbox"),
    ],
)
def test_an_old_workflow_reaches_our_own_check(comfy: ComfyUI, change: dict[str, Any], says: str) -> None:
    """A choice that is not in the list any more is refused with what is allowed, not with the host's bare words."""
    with pytest.raises(RequestRejectedError, match=says):
        comfy.queue(bought("a boat", **change))


def test_pixels_that_are_no_numbers_are_refused(comfy: ComfyUI) -> None:
    """NaN in an image is a broken graph upstream; it must not become a paid video."""
    run = comfy.run({"0": node("TestNanImage"), **bought("nan", reference=["0", 0])})
    assert "NaN" in run.error
    assert "Nothing was spent" in run.error


def test_no_job_chosen_is_told(comfy: ComfyUI) -> None:
    """An empty SoraOpenJob says what to do."""
    run = comfy.run({"0": node("SoraOpenJob", provider="sandbox"), "1": wait("0")})
    assert "No job is chosen" in run.error


def test_an_id_that_nobody_knows_is_told(comfy: ComfyUI) -> None:
    """A pasted id is looked up at the gateway."""
    graph: Graph = {"0": node("SoraOpenJob", video_id="video_0123456789abcdef0123456789abcdef", provider="sandbox")}
    assert "not found" in comfy.run(graph | {"1": wait("0")}).error


def test_a_closed_port_is_told(tmp_path: Path) -> None:
    """A gateway that refuses the connection: nothing was bought, and the error says where to look."""
    with ComfyUI(tmp_path, COMETAPI_KEY="sk-test-1234567", COMETAPI_BASE_URL="http://127.0.0.1:9") as host:
        run = host.run(bought("nobody there", provider="cometapi"))
        assert "could not be reached" in run.error
        assert "Nothing was spent" in run.error
        assert "base URL" in run.error
        assert "sk-test" not in host.log + str(host.get("/history"))


@pytest.mark.parametrize("prefix", ["%date:yyyy-MM-dd%/boat", "../elsewhere/boat", "boat?"])
def test_a_name_that_no_file_can_have_is_refused_before_buying(comfy: ComfyUI, prefix: str) -> None:
    """A prompt that comes without the page, which would have written the date."""
    graph: Graph = {"1": create("a boat"), "2": wait("1", filename_prefix=prefix)}
    with pytest.raises(RequestRejectedError):
        comfy.queue(graph)
