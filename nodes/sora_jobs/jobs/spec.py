"""What is asked for (VideoRequest), and what the ledger knows of it (Job)."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..util.bounded_read import read_json
from .identity import FITS, Identity, Picture, version_1, version_2
from .state import JobState

LONGEST_PROMPT = 20_000  # characters; models take far less, this only keeps a pasted book out of the ledger
LONGEST_FIELDS = 20_000  # characters of extra_fields
LONGEST_PROJECT = 100  # characters
LARGEST_SIDE = 8192  # pixels; beyond every known model, so that a typed size cannot ask for terabytes
NOT_IN_A_NAME = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of control characters, halves and line breaks
TURNS_TEXT = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # classes that reverse what stands beside
FIELD_NAME = re.compile(r"[A-Za-z_][\w.\[\]-]{0,63}")

Kind = Literal["create", "remix", "opened"]
Scalar = str | int | float | bool
Fingerprint = tuple[str, tuple[int, ...]]  # the SHA-256 of an image's pixels, and [H, W, channels]


def parse_size(size: str) -> tuple[int, int]:
    """`"1280x720"` -> (width, height) in pixels. InvalidInputError for anything else."""
    match = re.fullmatch(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", size)
    if match is None or max(pair := (int(match[1]), int(match[2]))) > LARGEST_SIDE:
        hint = "Write width and height in pixels, such as 1280x720."
        raise InvalidInputError(f"{size!r} is not a size.", hint=hint, code="invalid_size")
    return pair


def parse_extra_fields(text: str) -> dict[str, Scalar]:
    """The JSON object of the `extra_fields` widget. Blank is an empty one; InvalidInputError says what is wrong."""
    if not text.strip():
        return {}
    hint = 'It wants a JSON object of form fields, such as {"resolution": "720p"}, or nothing.'
    try:
        if len(text) > LONGEST_FIELDS:
            raise ValueError(f"it has more than {LONGEST_FIELDS} characters")
        value = read_json(text)
    except ValueError as error:
        raise InvalidInputError(f"extra_fields is not JSON: {error}.", hint=hint, code="invalid_extra_fields") from None
    if not isinstance(value, dict):
        message = f"extra_fields is a JSON {type(value).__name__}, not an object."
        raise InvalidInputError(message, hint=hint, code="invalid_extra_fields")
    return value


def parse_project(text: str) -> str:
    """The name of a project, without the white space around it; "" for none. InvalidInputError for one that is too long
    or has a line break or another control character."""
    name = text.strip()
    if len(name) > LONGEST_PROJECT:
        message = f"The project has {len(name)} characters; {LONGEST_PROJECT} is the most."
        raise InvalidInputError(message, code="project_too_long")
    if any(unicodedata.category(one) in NOT_IN_A_NAME or unicodedata.bidirectional(one) in TURNS_TEXT for one in name):
        message = "The project has a line break or a control character."
        raise InvalidInputError(message, hint="Write one line of text.", code="project_not_one_line")
    return name


def fingerprints(pixels: NDArray[np.uint8]) -> tuple[Fingerprint, Fingerprint]:
    """Those of an image, uint8 [H, W, ...], for version 1 and version 2 of an identity. Version 2 leaves out an alpha
    channel that is opaque everywhere, which changes nothing in the upload."""
    one = _fingerprint(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 4 and (pixels[..., 3] == 255).all():
        return one, _fingerprint(pixels[..., :3])
    return one, one


def _fingerprint(pixels: NDArray[np.uint8]) -> Fingerprint:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest(), tuple(map(int, pixels.shape))


@dataclass(frozen=True, eq=False)
class Reference:
    """An image that goes up with the job, as the user gave it.

    `pixels` is uint8 [H, W, 3 or 4], RGB or RGBA, before fitting; `fit` says how it is brought to the job's size.
    """

    pixels: NDArray[np.uint8]
    fit: str = "crop"

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            message, hint = f"{self.fit!r} is not a way to fit an image.", f"Choose from: {', '.join(FITS)}."
            raise InvalidInputError(message, hint=hint, code="unknown_option")
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 3 or self.pixels.shape[2] not in (3, 4):
            message = f"A reference is uint8 [H, W, 3 or 4], not {self.pixels.dtype} {self.pixels.shape}."
            raise InvalidInputError(message, code="invalid_image")

    @functools.cached_property
    def pictures(self) -> tuple[Picture, Picture]:
        """What stands for this image in the identity of a purchase: in version 1 and in version 2."""
        one, two = fingerprints(self.pixels)
        return Picture(*one, self.fit), Picture(*two, self.fit)


@dataclass(frozen=True, kw_only=True)
class VideoRequest:
    """One purchase, whole: it checks itself, and nothing about the job travels beside it.

    `seconds` is a string, as in the API; `size` is `WxH` in pixels, whatever a model's API calls it; `parent` is the
    provider's id of the video that a remix starts from. `prompt` loses the white space around it, and `typed` keeps it
    for processes that run older code. `project` groups jobs in the ledger: it is not part of the identity, and is not
    sent. InvalidInputError for what is wrong without looking into a catalogue; `Catalogue.check` does the rest, and
    `check_fields` says what `extra_fields` may carry.
    """

    provider: str
    prompt: str
    kind: Kind = "create"
    model: str = ""
    seconds: str = ""
    size: str = ""
    take: int = 1
    extra_fields: Mapping[str, Scalar] = field(default_factory=dict)
    parent: str = ""
    references: tuple[Reference, ...] = ()
    typed: str = field(default="", repr=False, compare=False)
    project: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "extra_fields", MappingProxyType(dict(self.extra_fields)))
        if self.typed.strip() != self.prompt.strip():
            object.__setattr__(self, "typed", self.prompt)
        object.__setattr__(self, "prompt", self.prompt.strip())
        object.__setattr__(self, "project", parse_project(self.project))
        self._check_text()
        self._check_extra_fields()
        self._check_letters()
        if self.kind == "create":
            self._check_create()
        elif not self.parent:
            message = "A remix needs the video that it starts from."
            raise InvalidInputError(message, hint="Connect a finished job.", code="no_source_video")

    def _check_text(self) -> None:
        if not self.prompt.strip():
            raise InvalidInputError("The prompt is empty.", hint="Say what the video should show.", code="empty_prompt")
        if len(self.prompt) > LONGEST_PROMPT:
            message = f"The prompt has {len(self.prompt)} characters; {LONGEST_PROMPT} is the most."
            raise InvalidInputError(message, code="prompt_too_long")
        if not self.provider.strip():
            raise InvalidInputError("No provider is chosen.", code="no_provider")
        if isinstance(self.take, bool) or not isinstance(self.take, int) or self.take < 1:
            raise InvalidInputError(f"take is {self.take!r}.", hint="Takes are counted from 1.", code="invalid_take")

    def _check_letters(self) -> None:
        said = json.dumps([self.prompt, self.model, self.provider, dict(self.extra_fields)], ensure_ascii=False)
        if any("\ud800" <= letter <= "\udfff" for letter in said):
            message = "The text holds half a character (a lone surrogate)."
            raise InvalidInputError(message, hint="Type it again.", code="lone_surrogate")

    def _check_create(self) -> None:
        if not self.model.strip():
            raise InvalidInputError("No model is chosen.", code="no_model")
        if not re.fullmatch(r"[1-9][0-9]{0,3}", self.seconds):
            message = f"{self.seconds!r} is not a length."
            raise InvalidInputError(message, hint="Write whole seconds, such as 4.", code="invalid_seconds")
        parse_size(self.size)
        if len(self.references) > 2:
            message = f"{len(self.references)} references were given; two is the most."
            raise InvalidInputError(message, code="too_many_references")

    def _check_extra_fields(self) -> None:
        for name, value in self.extra_fields.items():
            where = f"extra_fields: {name!r}"
            if not isinstance(name, str) or not FIELD_NAME.fullmatch(name):
                raise InvalidInputError(f"{where} is not the name of a form field.", code="invalid_field_name")
            if not isinstance(value, str | int | float | bool):
                raise InvalidInputError(
                    f"{where} is neither text, a number nor true or false.", code="invalid_field_value"
                )
            if isinstance(value, float) and not math.isfinite(value):
                raise InvalidInputError(f"{where} is {value}, which no form can carry.", code="invalid_field_value")

    @functools.cached_property
    def identity(self) -> Identity:
        """What names this purchase for ever. Large images take a moment to hash: it is done once."""
        names = ("kind", "provider", "model", "seconds", "size", "take", "extra_fields", "parent")
        asked = {name: getattr(self, name) for name in names}
        pictures = [reference.pictures for reference in self.references]
        return Identity(
            version_1({**asked, "prompt": self.typed}, [one for one, _ in pictures]),
            version_2({**asked, "prompt": self.prompt}, [two for _, two in pictures]),
        )


EXPIRED = "lapsed"  # the error code of a job that the gateway no longer offers or knows
STALE = "stale"  # what a job is called that is `Job.stale`
MUTED = "unwatched"  # nobody fetches it in the background; a node that waits for it does
ARCHIVED = "forgotten"  # not in lists any more; the row, its money and its file stay
TRUNCATED = "cut_short"  # the error code of a stored job whose video holds less than it says


@dataclass(frozen=True, kw_only=True)
class Job:
    """A row of the ledger. Times are seconds since the epoch (UTC); `path` is relative to the output root."""

    id: str
    kind: Kind
    state: JobState
    provider: str
    origin: str
    model: str
    seconds: str
    size: str
    prompt: str
    take: int
    identity: str  # version 1
    identity2: str = ""  # version 2; "" where it cannot be known (an old row whose images are elsewhere)
    parent: str = ""
    extra_fields: Mapping[str, Scalar] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    fit: str = ""  # of its references; "" without any, or where nobody noted it
    video_id: str = ""
    remote_status: str = ""
    progress: float | None = None
    estimated_usd: float | None = None
    created_at: float = 0.0
    sent_at: float | None = None
    submitted_at: float | None = None
    completed_at: float | None = None
    stored_at: float | None = None
    stale_at: float | None = None  # since when its provider, asked after its limit, has not finished it
    error: str = ""
    error_code: str = ""
    request_id: str = ""
    path: str = ""
    root: str = ""
    sha256: str = ""
    bytes: int | None = None
    aside: str = ""  # MUTED or ARCHIVED, by a person's wish
    machine: str = ""  # on a farm, the one that bought it
    project: str = ""  # what it was bought for, by a person's wish
    charged_usd: float | None = None  # what its provider says it charged

    @property
    def lapsed(self) -> bool:
        """Does the gateway no longer offer its video?"""
        return self.error_code == EXPIRED and self.state.is_pending

    @property
    def stale(self) -> bool:
        """Has its provider, asked after its limit, not finished it?"""
        return self.stale_at is not None and self.state is JobState.SUBMITTED

    @property
    def is_running(self) -> bool:
        """Is its video still to come, as far as is known?"""
        return self.state.is_running and not self.lapsed and not self.stale

    @property
    def may_be_muted(self) -> bool:
        """Is there something to come that nobody need look after?"""
        return self.state.is_pending

    @property
    def may_be_archived(self) -> bool:
        """May it be left out of lists, since nothing more is to come or to be decided?"""
        return self.state.is_finished or self.lapsed

    @property
    def standing(self) -> str:
        """Its state, for a person."""
        if self.stale:
            return STALE
        return EXPIRED if self.lapsed else self.state.value

    @property
    def reason(self) -> str:
        """Its error as a part of a sentence."""
        return self.error.rstrip(".")

    @property
    def label(self) -> str:
        """One readable line for a list: state, length, prompt and id."""
        prompt = " ".join(self.prompt.split())
        prompt = prompt if len(prompt) <= 48 else prompt[:47] + "…"
        length = f"{self.seconds}s" if self.seconds else ""
        facts = " ".join(part for part in (self.standing, self.model, length) if part)
        return f"{prompt or self.video_id} · {facts} · {self.id}"
