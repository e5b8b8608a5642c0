"""Which form fields a workflow may send: the shipped list, a model's own fields, and those that the owner opens."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from sora_jobs.config.extra_fields import (
    ALWAYS_SENT,
    INPUTS,
    REFUSED,
    FieldRule,
    Opened,
    check_fields,
    read_opened,
    read_rules,
    shipped,
)
from sora_jobs.config.providers import check_file, load_provider
from sora_jobs.config.settings import Settings
from sora_jobs.errors import InvalidInputError
from sora_jobs.jobs.spec import VideoRequest
from sora_jobs.models.catalogue import Catalogue

NODES = Path(__file__).parents[2] / "nodes" / "sora_jobs"
FILE = Path("/home/me/providers.toml")
SERVERS = tomllib.loads(Path(__file__).with_name("request_models.toml").read_text(encoding="utf-8"))
EVERY_FIELD = [
    (server, name, gets)
    for server, facts in SERVERS.items()
    for part in ("fields", "models")
    for name, gets in facts.get(part, {}).items()
]
# Words in the name of a field whose value a server may open, load, call or write to.
REACHES = re.compile(
    "path|file|dir|url|uri|lora|model|repo|adapter|weight|checkpoint|hook|callback|notify|endpoint|user|storage|bucket"
    "|device|dump|token|key|secret|reference|control|kwargs|params|extra"
)


def sent(fields: dict[str, Any], model: str = "new-model", provider: str = "mine") -> VideoRequest:
    return VideoRequest(
        provider=provider, prompt="a boat", model=model, seconds="4", size="1280x720", extra_fields=fields
    )  # fmt: skip


def check(fields: dict[str, Any], *opened: Opened, model: str = "new-model", provider: str = "mine") -> None:
    check_fields(sent(fields, model, provider), Catalogue.shipped().fields(model), opened, FILE)


def refusal(fields: dict[str, Any], *opened: Opened, **where: str) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        check(fields, *opened, **where)
    assert (caught.value.code, caught.value.charge, caught.value.exit_code) == (REFUSED, "none", 2)
    return caught.value


def tables(file: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = tomllib.loads((NODES / file).read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(("server", "name", "gets"), EVERY_FIELD)
def test_what_each_field_of_vllm_omni_and_sglang_gets(server: str, name: str, gets: str) -> None:
    """Passes with a kind, is set by an input of the node, or is refused until the owner opens it."""
    rule = shipped().get(name)
    assert gets == ("an input" if name in INPUTS else rule.kind if rule else "refused"), server
    if rule is None:
        error = refusal({name: 1})
        assert name in error.message
        assert INPUTS.get(name, "extra_fields = ") in error.hint


def test_the_fields_that_run_code_or_open_files_are_among_them() -> None:
    """The lists of both servers are whole: what the issue names is in them, and refused."""
    refused = {name for _, name, gets in EVERY_FIELD if gets == "refused"}
    worst = {"frame_interpolation_model_path", "video_path", "output_path", "perf_dump_path", "lora"}
    worst |= {"upscaling_model_path", "video_url", "reference_url", "user", "extra_params", "diffusers_kwargs"}
    worst |= {"enable_frame_interpolation", "enable_upscaling"}  # these load the server's default repositories
    assert worst <= refused
    assert [len(SERVERS[server]["fields"]) for server in ("vllm-omni", "sglang")] == [43, 51]


def test_nothing_on_the_shipped_list_reaches_a_file_a_model_or_an_address() -> None:
    """By its name, and by what its kind admits."""
    assert [name for name in shipped() if REACHES.search(name.lower())] == []
    assert not shipped().keys() & set(INPUTS)
    loads = [
        "/etc/passwd",
        "..\\x",
        "C:x",
        "org/repo",
        "https://evil.example/x",
        "//evil.example",
        "www.evil.example",
        "s3:x",
    ]
    for name, rule in shipped().items():
        admitted = [value for value in loads if rule.admits(value)]
        assert admitted == (["/etc/passwd", "..\\x", "C:x", "org/repo"] if rule.kind == "prose" else []), name


def test_the_shipped_list_is_whole() -> None:
    """Each field has a kind, limits where it is a number, and the source of the fact; words have no / \\ or :."""
    found = tables("config/extra_fields.toml")
    rules = read_rules(found)
    assert len(rules) == sum(1 + len(table.get("also", ())) for table in found.values())  # no name twice
    for name, table in found.items():
        assert {"kind", "dearer", "source"} <= table.keys(), name
        assert table["source"], name
        well_formed(rules[name], name)
    assert {rule.kind for rule in rules.values()} == {"number", "boolean", "word", "ratio", "prose"}


def well_formed(rule: FieldRule, name: str) -> None:
    assert (rule.kind == "number") == (rule.most < float("inf")) == (rule.least > float("-inf")), name
    assert rule.least < rule.most
    assert not rule.words or rule.kind == "ratio"
    assert all(word == word.lower() and not re.search(r"[/\\:]", word) for word in rule.words), name
    if rule.kind == "word":
        assert not any(re.search(r"[/\\:]", value) for value in rule.values), name


def test_models_that_have_fields_say_where_that_is_known() -> None:
    rows = tomllib.loads((NODES / "models" / "models.toml").read_text(encoding="utf-8"))["model"]
    having = {row["id"]: row for row in rows if "extra_fields" in row}
    assert {"wan2.7", "seedance-2-5", "doubao-seedance-2-0"} <= having.keys()
    for model, row in having.items():
        assert row["source"]["extra_fields"], model
        for name, rule in read_rules(row["extra_fields"]).items():
            assert isinstance(row["extra_fields"][name]["dearer"], bool)
            well_formed(rule, f"{model} {name}")


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("seed", [7, "7", -1, 2**63 - 1, "-9223372036854775808"], ["abc", 7.5, 7.0, "7.0", 2**63, True, "", "٧", " 7"]),
        ("guidance_scale", [7, 7.5, "7.5", 0, 100], [-1, 101, "7,5", "1e2", False, "x"]),
        ("watermark", [True, False, "true", "True", "FALSE", 1, 0, "1", "0"], ["yes", 2, "", "wahr", 1.0, "on"]),
        ("resolution", ["720p", "720P", "4k", 720], ["721p", "../720p", "", True]),
        ("sound", ["on", "off", "ON"], [True, "true", "loud"]),
        ("aspect_ratio", ["16:9", "2.39:1", "1280:720", "16x9", "adaptive"], ["16/9", "16:", "0:9", "a:b", "wide", 16]),
        ("size", ["9:16", "1280x720", "1280*720", "720P"], ["big", "1280 x 720", "0x9"]),
        (
            "style",
            ["film", "3d_animation", "hand drawn", "水墨"],
            ["a/b", "a\\b", "a:b", "", "-x", "a.b", "x" * 65, "a\nb"],
        ),
        ("negative_prompt", ["fog", "", "16:9, no a/b; curl"], ["see https://x.org", "//x.org/a", "file:x", 3, True]),
    ],
)
def test_what_each_kind_admits(name: str, right: list[Any], wrong: list[Any]) -> None:
    """A value of another kind is refused before anything is sent, and the limits are named."""
    for value in right:
        check({name: value})
    for value in wrong:
        error = refusal({name: value})
        assert name in error.message
        assert shipped()[name].wants in error.hint


def test_the_limits_are_in_the_error() -> None:
    assert "a whole number from 1 to 200" in refusal({"num_inference_steps": 201}).hint
    assert "one of std, pro" in refusal({"mode": "ultra"}).hint
    assert len(refusal({"seed": "x" * 20_000}).message) < 120


def test_a_models_own_field_goes_before_the_shipped_one() -> None:
    """With its own limits; what it does not name is as for every model."""
    check({"seed": 2**40})
    check({"seed": -1, "negative_prompt": "fog"}, model="seedance-2-5")
    for model, wrong in (("seedance-2-5", -2), ("seedance-2-5", 2**32), ("wan2.7", -1), ("wan2.7", 2**31)):
        assert "whole number" in refusal({"seed": wrong}, model=model).hint


def test_an_unknown_field_says_what_may_be_sent_and_where_it_is_opened() -> None:
    error = refusal({"lora": "x"})
    assert "'lora' may not be sent to mine" in error.message
    for part in ("negative_prompt", str(FILE), "[provider.mine]", 'extra_fields = ["lora"]'):
        assert part in error.hint
    assert 'add "lora" to `extra_fields`' in refusal({"lora": "x"}, Opened("n")).hint
    assert "providers.toml" not in refusal({"lora": "x"}, provider="sandbox").hint  # nothing can be opened there


def test_where_a_field_is_opened_comes_before_the_long_list() -> None:
    """A toast and a node show the beginning of an error only."""
    for error in (refusal({"lora": "x"}), refusal({"negativ_prompt": "x"}), refusal({"lora": "x"}, Opened("n"))):
        shown = str(error)[:500]
        for part in ("extra_fields", "[provider.mine]", str(FILE)):
            assert part in shown.split("A workflow may send:")[0]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("negativ_prompt", "negative_prompt"), ("Seed", "seed"), ("watermarks", "watermark"), ("lor", "lora")],
)
def test_a_near_miss_is_named(typed: str, meant: str) -> None:
    """Among the fields that the owner opened, too."""
    assert f"Did you mean {meant!r}?" in refusal({typed: 1}, Opened("lora")).hint
    assert "Did you mean" not in refusal({"perf_dump_path": 1}).hint


@pytest.mark.parametrize(("name", "widget"), INPUTS.items())
def test_what_an_input_sets_is_set_there(name: str, widget: str) -> None:
    assert f"the input `{widget}`" in refusal({name: "x"}).hint


def test_what_the_owner_opened_is_theirs() -> None:
    """Whatever it holds: a path or an address, and with values those alone."""
    check(
        {"lora": "https://example.com/x", "output_path": "/srv/x", "n": 3, "seed": "any"},
        *map(Opened, ("lora", "output_path", "n", "seed")),
    )
    some = Opened("lora", ("film", 7, True))
    for value in ("film", 7, "7", True, "true"):
        check({"lora": value}, some)
    error = refusal({"lora": "evil/repo"}, some)
    assert "film, 7, true" in error.hint
    assert str(FILE) in error.hint


@pytest.mark.parametrize(
    ("fields", "dearer"),
    [
        ({}, False), ({"seed": 7, "negative_prompt": "fog", "watermark": False}, False), ({"resolution": "720p"}, True),
        ({"seed": 7, "fps": 24}, True), ({"lora": "x"}, True), ({"generate_audio": True}, True),
    ],
)  # fmt: skip
def test_which_fields_can_change_the_price(fields: dict[str, Any], dearer: bool) -> None:
    """One without a rule, which the owner opened, can."""
    assert bool(Catalogue.shipped().dearer_fields(sent(fields, model="sora-2"))) is dearer


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ('["lora", "n"]', (Opened("lora"), Opened("n"))),
        ('[{ name = "lora", values = ["film", 7, true] }, "n"]', (Opened("lora", ("film", 7, True)), Opened("n"))),
        ('[{ name = "metadata[style]" }]', (Opened("metadata[style]"),)),
        ("[]", ()),
    ],
)
def test_the_owner_opens_fields_in_providers_toml(tmp_path: Path, text: str, opened: tuple[Opened, ...]) -> None:
    """For their own providers, and for cometapi."""
    mine = f'[provider.mine]\nbase_url = "https://x.example"\nextra_fields = {text}\n'
    (tmp_path / "providers.toml").write_text(f"{mine}[provider.cometapi]\nextra_fields = {text}", encoding="utf-8")
    settings = Settings(home=tmp_path, output=tmp_path, env={})
    assert check_file(settings.read()) == []
    assert load_provider(settings.read(), "mine").opened == load_provider(settings.read(), "cometapi").opened == opened
    assert hash(load_provider(settings.read(), "mine"))  # clients are kept by it


WRONG = (
    '"lora"', "true", "{ lora = true }", "[1]", '[["lora"]]', '["a b"]', '[""]', '["lora", "lora"]',
    '["lora", { name = "lora" }]', '[{ values = ["x"] }]', '[{ name = "lora", value = 1 }]',
    *(f'[{{ name = "lora", values = {values} }}]' for values in ("[]", '"x"', '[["x"]]', "[2026-01-01]")),
    *(f'["{name}"]' for name in ALWAYS_SENT), str([f"f{number}" for number in range(101)]),
)  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_fault_in_what_the_owner_opens_is_named(tmp_path: Path, text: str) -> None:
    """A typed error with the place and what is wanted, which the doctor shows."""
    (tmp_path / "providers.toml").write_text(
        f'[provider.mine]\nbase_url = "https://x.example"\nextra_fields = {text}\n', encoding="utf-8"
    )
    settings = Settings(home=tmp_path, output=tmp_path, env={})
    (fault,) = check_file(settings.read())
    assert "[provider.mine]: extra_fields is not right" in fault.message
    assert '["n", { name = "lora"' in fault.hint
    with pytest.raises(InvalidInputError):
        load_provider(settings.read(), "mine")
    with pytest.raises(ValueError):
        read_opened(tomllib.loads(f"x = {text}")["x"])


def test_the_catalogue_tells_the_page_of_a_models_fields() -> None:
    """As plain JSON, and a refreshed catalogue keeps them."""
    row = next(row for row in Catalogue.shipped().rows() if row["id"] == "wan2.7")
    assert row["extra_fields"]["seed"]["most"] == 2147483647
    model = Catalogue.shipped().require("wan2.7")
    assert dataclasses.replace(model, note="").extra_fields == model.extra_fields


def test_the_documentation_has_every_shipped_field() -> None:
    """docs/providers.md lists each with all its names, and says of which the price is unknown."""
    page = (NODES.parents[1] / "docs" / "providers.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`\w+`,? ?)+)\| .* \| (unknown|as listed) \|$", page, re.MULTILINE)
    told = {name: price == "unknown" for names, price in rows for name in re.findall(r"\w+", names)}
    assert told == {name: rule.dearer for name, rule in shipped().items()}
