"""What names a purchase for ever: SHA-256 over canonical JSON of what is asked for.

Version 2 leaves out what changes nothing in the request: white space around the prompt, a `fit` that has nothing to do,
an alpha channel that is opaque everywhere, fields that are sent anyway. Rows keep version 1 as well, since a process
that still runs older code knows no other. Neither ever changes: with another hash every user would pay again for what
they already have.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

FITS = ("crop", "pad", "stretch")
# Form fields that a request carries in any case, by the names of its own inputs.
SENT_ANYWAY = ("prompt", "model", "seconds", "size")


class Picture(NamedTuple):
    """What stands for an image: the SHA-256 of its pixels, [H, W, channels], and how it is brought to the video's
    size."""

    sha256: str
    shape: tuple[int, ...]
    fit: str


class Identity(NamedTuple):
    """The hashes of one purchase, by version: 64 hex digits each."""

    v1: str
    v2: str


def version_1(asked: Mapping[str, Any], references: Sequence[Picture] = ()) -> str:
    """The hash by which versions of the pack up to schema 4 knew it.

    `asked` has kind, provider, prompt, model, seconds, size, take, extra_fields and parent. Fields at their default are
    left out; a remix is named by its parent, so its model, length and size are not part of it.
    """
    parts: dict[str, Any] = {"v": 1, "kind": asked["kind"], "provider": asked["provider"], "prompt": asked["prompt"]}
    parts |= _choices(asked)
    if asked["extra_fields"]:
        parts["extra_fields"] = dict(asked["extra_fields"])
    if references:
        parts["references"] = [one._asdict() for one in references]
    return _hash(parts)


def version_2(asked: Mapping[str, Any], references: Sequence[Picture] = ()) -> str:
    """The hash of the request as it will be sent. References are an ordered list: a field that one has and others lack,
    such as a role, is left out where it is at its default, and needs no further version."""
    parts: dict[str, Any] = {"v": 2, "kind": asked["kind"], "provider": asked["provider"]}
    parts |= {"prompt": asked["prompt"].strip(), **_choices(asked)}
    sent = {name: form_text(value) for name, value in asked["extra_fields"].items()}
    if extra := {name: text for name, text in sent.items() if name not in SENT_ANYWAY or text != parts.get(name)}:
        parts["extra_fields"] = extra
    if references:
        parts["references"] = [_canonical(one, asked["size"]) for one in references]
    return _hash(parts)


def form_text(value: str | int | float | bool) -> str:
    """A value as a form carries it."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def largest_part(width: int, height: int, aspect_width: int, aspect_height: int) -> tuple[int, int]:
    """(width, height) of the largest part of width x height that has the other aspect, in whole pixels."""
    wide = min(width, max(1, (2 * height * aspect_width + aspect_height) // (2 * aspect_height)))
    tall = min(height, max(1, (2 * width * aspect_height + aspect_width) // (2 * aspect_width)))
    return wide, tall


def effect_of(fit: str, image: tuple[int, int], video: tuple[int, int]) -> str:
    """The fit, or "" where it does nothing but scale the image: (width, height) of both in pixels."""
    if fit == "crop":
        return "" if largest_part(*image, *video) == image else fit
    if fit == "pad":
        return "" if largest_part(*video, *image) == video else fit
    return ""


def _canonical(one: Picture, size: str) -> dict[str, Any]:
    parts: dict[str, Any] = {"sha256": one.sha256, "shape": list(one.shape)}
    video = tuple(map(int, size.split("x")))
    if effect := effect_of(one.fit, (one.shape[1], one.shape[0]), (video[0], video[1])):
        parts["fit"] = effect
    return parts


def _choices(asked: Mapping[str, Any]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if asked["kind"] == "create":
        parts |= {name: asked[name] for name in ("model", "seconds", "size")}
    if asked["take"] != 1:
        parts["take"] = asked["take"]
    if asked["parent"]:
        parts["parent"] = asked["parent"]
    return parts


def _hash(parts: Mapping[str, Any]) -> str:
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
