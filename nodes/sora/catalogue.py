"""The models that are known: what each takes, what it is called on the wire, what it costs."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import InvalidInput
from .spec import Job, JobSpec


@dataclass(frozen=True, kw_only=True)
class Model:
    """One row of models.toml, where every field is explained."""

    id: str
    seconds: tuple[str, ...]
    sizes: Mapping[str, Mapping[str, str]]
    references: int = 0
    remix: bool = False
    usd: Mapping[str, float] = field(default_factory=dict)
    usd_date: str = ""
    status: Mapping[str, str] = field(default_factory=dict)
    source: str = ""

    def usd_per_second(self, size: str) -> float | None:
        """The listed price in dollars per second, or None where nobody wrote one down."""
        return self.usd.get(size, self.usd.get("*"))


class Catalogue:
    """All known models, in the order in which they are offered."""

    def __init__(self, models: Iterable[Model]) -> None:
        self.models = {model.id: model for model in models}

    @classmethod
    @functools.cache
    def shipped(cls) -> Catalogue:
        """The catalogue that comes with the pack (models.toml)."""
        rows = tomllib.loads(Path(__file__).with_name("models.toml").read_text(encoding="utf-8"))["model"]
        return cls(Model(**{**row, "seconds": tuple(row["seconds"])}) for row in rows)

    def find(self, model: str) -> Model | None:
        return self.models.get(model)

    def require(self, model: str) -> Model:
        """The model of that id; InvalidInput names the nearest one and how to send an unlisted one."""
        if (found := self.find(model)) is not None:
            return found
        near = difflib.get_close_matches(model, self.models, n=1, cutoff=0.5)
        raise InvalidInput(
            f"The catalogue has no model {model!r}.",
            advice=(f"Did you mean {near[0]!r}? " if near else "")
            + f"It has: {', '.join(self.models)}. Another id can be typed into custom_model and is sent as typed.",
        )

    def seconds(self) -> list[str]:
        """Every length that some model takes, the first model's first (for a combo)."""
        return _in_order(seconds for model in self.models.values() for seconds in model.seconds)

    def sizes(self) -> list[str]:
        """Every size that some model takes, the first model's first (for a combo)."""
        return _in_order(size for model in self.models.values() for size in model.sizes)

    def check(self, spec: JobSpec) -> None:
        """InvalidInput where a known model does not take what is asked; it lists what is allowed.

        An unlisted model is not checked: its limits are its gateway's to tell.
        """
        model = self.find(spec.model)
        if model is None or spec.kind != "create":
            return
        self.check_choice(spec.model, spec.seconds, spec.size)
        if len(spec.references) > model.references:
            takes = ("no reference image", "one reference image", "two images, first and last frame")[model.references]
            raise InvalidInput(f"{model.id} takes {takes}; {len(spec.references)} were given.")
        ours = {"prompt", "model", "seconds", "input_reference", *model.sizes[spec.size]}
        if replaced := sorted(ours & set(spec.extra_fields)):
            raise InvalidInput(
                f"extra_fields would replace {', '.join(replaced)} of {model.id}.",
                advice="Set these with the inputs of the same name; only a custom_model may replace them.",
            )

    def check_choice(self, model_id: str, seconds: str, size: str) -> None:
        """InvalidInput for a model that is not listed, or a length or size that it does not make."""
        model = self.require(model_id)
        if seconds not in model.seconds:
            raise InvalidInput(
                f"{model.id} does not make {seconds} s.",
                advice=f"Its lengths in seconds: {', '.join(sorted(model.seconds, key=int))}.",
            )
        if size not in model.sizes:
            raise InvalidInput(f"{model.id} does not make {size}.", advice=f"Its sizes: {', '.join(model.sizes)}.")

    def size_fields(self, spec: JobSpec) -> Mapping[str, str]:
        """The form fields that ask for the spec's size; an unlisted model gets `size` as `WxH`."""
        model = self.find(spec.model)
        return model.sizes[spec.size] if model is not None else {"size": spec.size}

    def estimate_usd(self, spec: JobSpec | Job) -> float | None:
        """Listed price of the whole job in dollars, or None where it is unknown."""
        model = self.find(spec.model)
        rate = model.usd_per_second(spec.size) if model is not None else None
        return None if rate is None or not spec.seconds.isdigit() else round(rate * int(spec.seconds), 4)


def _in_order(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
