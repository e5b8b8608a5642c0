"""What the host shows in its own language: locales/, and the help pages in js/docs/.

English is the schemas' own text. To take a changed schema over, rewrite it, and translate what the tests then name::

    SORA_TESTS_REWRITE_LOCALES=1 python -m pytest tests/nodes/test_locales.py
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from .conftest import Bench
from .hosts import PACK

LOCALES, DOCS, JS = PACK / "locales", PACK / "js" / "docs", PACK / "js"
LANGUAGES = ("en", "zh")
FILES = ("commands.json", "main.json", "nodeDefs.json", "settings.json")
HEADINGS = {"en": ("Inputs", "Outputs"), "zh": ("输入", "输出")}
REWRITE = os.environ.get("SORA_TESTS_REWRITE_LOCALES") == "1"
# vue-i18n reads these as its own syntax. In tooltips the pages of 2025 do so, too, where newer ones show the text as it
# stands: no way of writing them suits both. A text that has them is left to the schema, which is shown as it is.
SYNTAX = re.compile(r"[{}@|\\]")
CHINESE = re.compile("[\u4e00-\u9fff]")
OF_THE_CATALOGUE = ("model", "seconds", "size", "provider", "past_job")  # whose values are not ours to list

every_language = pytest.mark.parametrize("language", LANGUAGES)
Leaves = dict[tuple[str, ...], str]


@pytest.fixture
def schemas(bench: Bench) -> dict[str, Any]:
    return {name: node.GET_SCHEMA() for name, node in bench.pack.nodes.items()}


def told(schema: Any) -> dict[str, Any]:
    """A schema's texts, in the form of nodeDefs.json."""
    return {
        "display_name": schema.display_name,
        "description": schema.description,
        "inputs": {
            one.id: {"name": getattr(one, "display_name", None) or one.id, "tooltip": one.tooltip}
            for one in schema.inputs
        },
        "outputs": {
            str(at): {"name": one.display_name, "tooltip": one.tooltip} for at, one in enumerate(schema.outputs)
        },
    }


def read(language: str, name: str) -> Any:
    return json.loads((LOCALES / language / name).read_text(encoding="utf-8"))


def leaves(value: Any, *path: str) -> Leaves:
    """{path: text} of nested objects."""
    if not isinstance(value, dict):
        return {path: value}
    return {inner: text for name, item in value.items() for inner, text in leaves(item, *path, name).items()}


def words(language: str, key: str) -> str:
    """What the pack's own page says."""
    table = (JS / f"words.{language}.mjs").read_text(encoding="utf-8")
    found = re.search(rf'^  {key}:\s+("(?:[^"\\]|\\.)*"),$', table, re.MULTILINE)
    assert found is not None, f"words.{language}.mjs has no {key} that this test can read"
    return str(json.loads(found[1]))


def commands() -> dict[str, str]:
    """{id: key of its label's words} of the commands in sora.js."""
    script = (JS / "sora.js").read_text(encoding="utf-8")
    found = dict(re.findall(r'\{ id: "(sora-jobs\.\w+)", label: \(\) => t\("(\w+)"\)', script))
    assert found and len(found) == script.count("label: ()"), "this test cannot read the commands of sora.js any more"
    return found


def test_every_node_input_and_output_is_explained(schemas: dict[str, Any]) -> None:
    """No text of a schema is missing, in the first place."""
    assert [path for path, text in leaves({name: told(one) for name, one in schemas.items()}).items() if not text] == []


def test_english_is_the_schemas_own_text(schemas: dict[str, Any]) -> None:
    """A node that says one thing in Python and another in the page is wrong in one of them."""
    wanted = {name: told(one) for name, one in schemas.items()}
    for path, text in leaves(wanted).items():
        if SYNTAX.search(text):
            place: Any = wanted
            for name in path[:-1]:
                place = place[name]
            del place[path[-1]]
    if REWRITE:
        content = json.dumps(wanted, indent=2, ensure_ascii=False)
        (LOCALES / "en" / "nodeDefs.json").write_text(content + "\n", encoding="utf-8")
        pytest.skip("locales/en/nodeDefs.json was rewritten; read its diff, and translate it in the others")
    assert read("en", "nodeDefs.json") == wanted


def test_chinese_has_every_text_and_no_other(schemas: dict[str, Any]) -> None:
    """Nodes, inputs and outputs as in the schemas, each text in Chinese. Values of combos are ids, and not there."""
    given = leaves(read("zh", "nodeDefs.json"))
    assert set(given) == set(leaves({name: told(one) for name, one in schemas.items()}))
    assert [path for path, text in given.items() if not CHINESE.search(text)] == []


@every_language
def test_the_page_can_read_the_files(language: str) -> None:
    """The files that the host reads, with nothing in them that its page would take for syntax."""
    assert sorted(file.name for file in (LOCALES / language).iterdir()) == list(FILES)
    for name in FILES:
        texts = leaves(read(language, name))
        assert [path for path, text in texts.items() if not isinstance(text, str) or not text.strip()] == []
        assert [path for path, text in texts.items() if SYNTAX.search(text)] == []


def test_there_are_no_other_languages() -> None:
    """One more needs its row in this test."""
    assert sorted(folder.name for folder in LOCALES.iterdir()) == sorted(LANGUAGES)


@every_language
def test_commands_and_settings_are_named_as_in_the_page(language: str) -> None:
    """The host looks menus up by the English label, commands and settings by their id, with _ for each dot."""
    assert read(language, "commands.json") == {
        command.replace(".", "_"): {"label": words(language, key)} for command, key in commands().items()
    }
    title = re.findall(r'^export const TITLE = "(.+)";', (JS / "words.mjs").read_text(encoding="utf-8"), re.MULTILINE)
    assert read(language, "settings.json") == {
        "sora-jobs_settings": {"name": title[0], "tooltip": words(language, "settings_why")}
    }
    assert read(language, "main.json") == {
        "menuLabels": {words("en", key): words(language, key) for key in commands().values()},
        "settingsCategories": {"sora-jobs": title[0]},
    }


def page(node: str, language: str) -> str:
    return (DOCS / node / f"{language}.md").read_text(encoding="utf-8")


def rows(text: str, heading: str) -> dict[str, str]:
    """{name: the whole line} of a section's list, whose lines begin with a name between backticks.

    Lists, since the panel in which the host shows them is too narrow for tables.
    """
    section = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, f"there is no section {heading}"
    return {found[1]: found[0] for found in re.finditer(r"^- `(\w+)`(?:（.+?）)?[:：].*$", section[1], re.MULTILINE)}


def plain(number: float) -> str:
    return f"{number:,.10g}"


def test_every_node_has_a_help_page_in_each_language(schemas: dict[str, Any]) -> None:
    """And what the host falls back to in its other languages, which is the English one."""
    assert {folder.name for folder in DOCS.iterdir() if folder.is_dir()} == set(schemas)
    assert {file.stem for file in DOCS.glob("*.md")} == set(schemas)
    for node in schemas:
        assert {file.name for file in (DOCS / node).glob("*.md")} == {f"{language}.md" for language in LANGUAGES}
        english = DOCS / node / "en.md"
        assert (DOCS / f"{node}.md").read_text(encoding="utf-8") == english.read_text(encoding="utf-8"), (
            f"copy {english} to {node}.md"
        )


@every_language
def test_help_names_every_input_and_output(schemas: dict[str, Any], language: str) -> None:
    """In the node's order and as the node shows it, with an input's limits and with the values that are its own."""
    inputs, outputs = HEADINGS[language]
    for node, schema in schemas.items():
        text = page(node, language)
        assert list(rows(text, outputs)) == [one.display_name for one in schema.outputs], node
        given = rows(text, inputs)
        assert list(given) == [one.id for one in schema.inputs], node
        shown = read(language, "nodeDefs.json")[node]
        for at, row in enumerate(rows(text, outputs).values()):
            assert shown["outputs"][str(at)]["name"] in row, f"{node}/{language}.md: output {at}"
        for one in schema.inputs:
            row = given[one.id]
            assert shown["inputs"][one.id]["name"].partition("（")[0] in row, f"{node}/{language}.md: {one.id}"
            for limit in (getattr(one, "min", None), getattr(one, "max", None)):
                assert limit is None or re.search(rf"(?<![\d.,]){re.escape(plain(limit))}(?![\d]|[.,]\d)", row), (
                    f"{node}/{language}.md: {one.id} does not say {plain(limit)}"
                )
            if one.id not in OF_THE_CATALOGUE:
                missing = [value for value in getattr(one, "options", None) or [] if f"`{value}`" not in row]
                assert not missing, f"{node}/{language}.md: {one.id} lacks {missing}"


@every_language
def test_help_is_called_as_the_node(schemas: dict[str, Any], language: str) -> None:
    """Its title is the node's name in that language, and the pages of all languages have as many sections."""
    for node in schemas:
        name = read(language, "nodeDefs.json")[node]["display_name"]
        text = page(node, language)
        assert text.splitlines()[0] == f"# {name}"
        assert len(re.findall("^## ", text, re.MULTILINE)) == len(re.findall("^## ", page(node, "en"), re.MULTILINE))
        assert language == "en" or CHINESE.search(text)


@every_language
def test_help_on_an_ended_job_names_what_asks_again(language: str) -> None:
    """By the label of the tab's button, and that it is free: another purchase is the last choice."""
    ended, free = {"en": ("ended it without", "free of charge"), "zh": ("没有生成视频就结束了", "不收费")}[language]
    for node in ("CreateSoraJob", "WaitForVideo"):
        (line,) = [line for line in page(node, language).splitlines() if ended in line]
        assert words(language, "ask") in line
        assert free in line


def test_links_of_the_help_lead_somewhere() -> None:
    """The host takes pictures relative to js/docs, wherever the page lies, and opens no page by a relative link."""
    for file in DOCS.rglob("*.md"):
        for mark, target in re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)", file.read_text(encoding="utf-8")):
            if not re.match(r"https://", target):
                assert mark, f"{file.name}: {target} is a relative link"
                assert (DOCS / target).is_file(), f"{file.name}: there is no {target}"
