"""Which form fields `extra_fields` may carry: those known to be harmless (extra_fields.toml), those of the model's own
row in models.toml, and those that the owner of the machine allows in providers.toml.

A workflow of a stranger holds whatever they wrote, and a field can make a provider read a file, load a model or call a
URL. So what is on none of these lists is refused.
"""

from __future__ import annotations

import difflib
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from ..errors import InvalidInputError
from ..jobs.identity import form_text
from ..jobs.spec import FIELD_NAME, Scalar, VideoRequest

REFUSED = "field_refused"  # the code of an error for a field that may not be sent, or not with that value
SANDBOX = "sandbox"  # as in providers.py: nothing is opened there
LONGEST_SHOWN = 60  # characters of a value in an error
MOST_OPENED = 100
# Fields that the inputs of the node set, by the names that APIs have for them.
INPUTS = {
    "prompt": "prompt", "model": "model", "seconds": "seconds", "input_reference": "reference", "duration": "seconds",
    "input_references": "reference", "image": "reference", "images": "reference", "image_reference": "reference",
}  # fmt: skip
# Those of them that the request always carries under that very name: no owner can open them.
ALWAYS_SENT = ("prompt", "model", "seconds", "input_reference")

_SCHEMES = "https?|wss?|ftps?|sftp|ssh|git|smb|file|data|blob|javascript|s3|gs|oss|cos|az|abfss?|hdfs"
ADDRESS = re.compile(rf"://|^\s*[\\/]{{2}}|^\s*({_SCHEMES})\s*:|^\s*www\.", re.IGNORECASE)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_SIDE = r"[1-9][0-9]{0,4}(\.[0-9]{1,3})?"
_RATIO = re.compile(rf"{_SIDE}[:x*]{_SIDE}")
_WORDS = re.compile(r"[^\W_][\w +-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class FieldRule:
    """What a field may hold; extra_fields.toml explains each of these."""

    kind: Literal["number", "boolean", "word", "ratio", "prose"]
    dearer: bool
    source: str = ""
    values: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    whole: bool = False
    least: float = float("-inf")
    most: float = float("inf")

    def admits(self, value: Scalar) -> bool:
        """Is the value of this kind, and within its limits?"""
        text = form_text(value)
        if self.values or text.lower() in self.words:
            return text.lower() in (one.lower() for one in (*self.values, *self.words))
        match self.kind:
            case "number":
                return not isinstance(value, bool) and self._is_number(text)
            case "boolean":
                return text.lower() in ("true", "false", "1", "0")
            case "prose":
                return isinstance(value, str) and ADDRESS.search(value) is None
            case "ratio":
                return _RATIO.fullmatch(text) is not None
            case "word":
                return _WORDS.fullmatch(text) is not None

    def _is_number(self, text: str) -> bool:
        if _NUMBER.fullmatch(text) is None or (self.whole and "." in text):
            return False
        return self.least <= (int(text) if self.whole else float(text)) <= self.most

    @property
    def wants(self) -> str:
        """What it admits, for a person."""
        if self.values:
            return f"one of {', '.join(self.values)}"
        others = "".join(f", {word}" for word in self.words)
        return {
            "number": f"{'a whole number' if self.whole else 'a number'} from {self.least} to {self.most}",
            "boolean": "true or false",
            "prose": "text without a URL",
            "ratio": f"a ratio such as 16:9, a size such as 1280x720{others}",
            "word": "plain words: letters, digits, spaces, _, + and -",
        }[self.kind]


class Opened(NamedTuple):
    """A field that the owner of the machine allows for one provider. No values: any."""

    name: str
    values: tuple[Scalar, ...] = ()


def read_rules(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, FieldRule]:
    """Rules by the name of the field, also under its other names, from tables in the form of extra_fields.toml."""
    rules: dict[str, FieldRule] = {}
    for name, table in tables.items():
        facts = {key: value for key, value in table.items() if key != "also"}
        lists = {key: tuple(table.get(key, ())) for key in ("values", "words")}
        rule = FieldRule(**facts | lists)
        rules |= dict.fromkeys((name, *table.get("also", ())), rule)
    return rules


@functools.cache
def shipped() -> Mapping[str, FieldRule]:
    """The fields that any workflow may send (extra_fields.toml)."""
    return read_rules(tomllib.loads(Path(__file__).with_name("extra_fields.toml").read_text(encoding="utf-8")))


def read_opened(value: Any) -> tuple[Opened, ...]:
    """`["n", {name = "lora", values = ["film"]}]` of a table in providers.toml. ValueError for anything else."""
    if not isinstance(value, list) or len(value) > MOST_OPENED:
        raise ValueError
    found = {}
    for item in value:
        table = {"name": item} if isinstance(item, str) else item
        if not isinstance(table, dict) or not {"name"} <= table.keys() <= {"name", "values"}:
            raise ValueError
        name, values = table["name"], table.get("values", [""])
        if not isinstance(name, str) or FIELD_NAME.fullmatch(name) is None or name in ALWAYS_SENT or name in found:
            raise ValueError
        if not isinstance(values, list) or not values or not all(isinstance(one, Scalar) for one in values):
            raise ValueError
        found[name] = Opened(name, tuple(table.get("values", ())))
    return tuple(found.values())


def dearer_fields(names: Iterable[str], rules: Mapping[str, FieldRule]) -> list[str]:
    """Return those of these fields that can make a job cost more than its length and size say. One without a rule
    can."""
    return [name for name in names if name not in rules or rules[name].dearer]


def check_fields(spec: VideoRequest, rules: Mapping[str, FieldRule], opened: Sequence[Opened], file: Path) -> None:
    """InvalidInputError for a field that may not be sent to the spec's provider, or not with that value. `rules` are
    those of its model, `opened` those of its provider; `file` is where the owner of the machine opens one."""
    theirs = {field.name: field.values for field in opened}
    for name, value in spec.extra_fields.items():
        if name in theirs:
            if theirs[name] and form_text(value) not in map(form_text, theirs[name]):
                allowed = ", ".join(map(form_text, theirs[name]))
                raise _wrong(name, value, f"{spec.provider} admits: {allowed}. They are set in {file}.")
        elif name not in rules:
            raise _unknown(name, spec, rules, opened, file)
        elif not rules[name].admits(value):
            raise _wrong(name, value, f"It wants {rules[name].wants}. {_how_to_open(name, spec, opened, file)}")


def _wrong(name: str, value: Scalar, hint: str) -> InvalidInputError:
    shown = value if not isinstance(value, str) or len(value) <= LONGEST_SHOWN else f"{value[:LONGEST_SHOWN]}…"
    return InvalidInputError(f"extra_fields: {name!r} must not be {shown!r}.", hint=hint.strip(), code=REFUSED)


def _unknown(
    name: str, spec: VideoRequest, rules: Mapping[str, FieldRule], opened: Sequence[Opened], file: Path
) -> InvalidInputError:
    listed = ""
    if name in INPUTS:
        instead = f"Use the input `{INPUTS[name]}`."
    else:
        names = {known.lower(): known for known in [*rules, *(field.name for field in opened)]}
        near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.75)
        instead = f"Did you mean {names[near[0]]!r}?" if near else ""
        # Last: it is long, and a toast shows the beginning.
        listed = f"A workflow may send: {', '.join(sorted(names.values(), key=str.lower))}."
    return InvalidInputError(
        f"extra_fields: {name!r} may not be sent to {spec.provider}. It is not on the list of harmless fields, and "
        "others can make a provider read files, load models or call URLs.",
        hint=" ".join(filter(None, (instead, _how_to_open(name, spec, opened, file), listed))),
        code=REFUSED,
    )


def _how_to_open(name: str, spec: VideoRequest, opened: Sequence[Opened], file: Path) -> str:
    if spec.provider == SANDBOX or name in ALWAYS_SENT:
        return ""
    line = f'add "{name}" to `extra_fields`' if opened else f'`extra_fields = ["{name}"]`'
    return f"The owner of this machine can allow it: {line} under [provider.{spec.provider}] in {file}."
