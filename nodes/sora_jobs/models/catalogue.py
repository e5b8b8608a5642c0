"""The models that are known: what each takes, what it is called on the wire, what it costs, whether it still lives."""

from __future__ import annotations

import difflib
import functools
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..config.extra_fields import ALWAYS_SENT, FieldRule, dearer_fields, read_rules, shipped
from ..errors import InvalidInputError
from ..jobs.spec import Job, VideoRequest, parse_size
from ..messages import warning_of
from .model import Model, Status, read_row

ANY_SECONDS, ANY_SIZE = "4", "1280x720"  # what is asked of a model of which nobody knows what it takes


class Choice(NamedTuple):
    """A model with a length and a size that it makes."""

    model: str
    seconds: str
    size: str

    def __str__(self) -> str:
        return f"{self.model}, {self.seconds} s, {self.size}"


class Catalogue:
    """All known models, in the order in which they are offered."""

    def __init__(
        self,
        models: Iterable[Model],
        refreshed_at: float | None = None,
        unlisted: Mapping[tuple[str, str], Status] | None = None,
    ) -> None:
        self.models = {model.id: model for model in models}
        self.refreshed_at = refreshed_at  # when a gateway's own list was last asked for, in seconds since the epoch
        # (provider, model) -> what the ledger saw of a model that has no row: it is told, and checked as little as any
        # that is typed.
        self.unlisted = unlisted or {}

    @classmethod
    @functools.cache
    def shipped(cls) -> Catalogue:
        """The catalogue that comes with the pack (models.toml)."""
        rows = tomllib.loads(Path(__file__).with_name("models.toml").read_text(encoding="utf-8"))["model"]
        return cls(read_row(row) for row in rows)

    def find(self, model: str) -> Model | None:
        return self.models.get(model)

    def require(self, model: str) -> Model:
        """The model of that id; InvalidInputError names the nearest one and how to send an unlisted one."""
        if (found := self.find(model)) is not None:
            return found
        living = [name for name, row in self.models.items() if row.is_offered]
        near = difflib.get_close_matches(model, living, n=1, cutoff=0.5)
        raise InvalidInputError(
            f"The catalogue has no model {model!r}.",
            hint=(f"Did you mean {near[0]!r}? " if near else "")
            + f"It has: {', '.join(living)}. Another id can be typed into custom_model and is sent as typed.",
            code="unknown_model",
        )

    def defaults_for(self, model: str) -> tuple[str, str]:
        """The (seconds, size) that are asked for where the user names none: the model's own first ones."""
        found = self.find(model) or Model(id=model)
        return next(iter(found.seconds), ANY_SECONDS), next(iter(found.sizes), ANY_SIZE)

    def seconds(self) -> list[str]:
        """Every length that some model on offer takes, the first model's first (for a combo)."""
        return _in_order(seconds for model in self.offered() for seconds in model.seconds)

    def sizes(self) -> list[str]:
        """Every size that some model on offer takes, the first model's first (for a combo)."""
        return _in_order(size for model in self.offered() for size in model.sizes)

    def offered(self) -> list[Model]:
        """The models that may be chosen for something new, in their order."""
        return [model for model in self.models.values() if model.is_offered]

    def comes_out(self, spec: VideoRequest) -> str:
        """The size that the video will have, where that is another one than is asked for; else ""."""
        model = self.find(spec.model)
        return model.comes_out.get(spec.size, "") if model is not None else ""

    def check(self, spec: VideoRequest, references: int | None = None) -> None:
        """InvalidInputError where a known model does not take what is asked, or is retired; it says what would do.
        `references`: how many images it has, where `spec` does not hold them.

        An unlisted model is not checked: its limits are its gateway's to tell. But what the inputs say is what is
        bought, also with such a one: only its size may have a form of its own.
        """
        if replaced := sorted({*ALWAYS_SENT} & set(spec.extra_fields)):
            raise InvalidInputError(
                f"extra_fields would replace {', '.join(replaced)}.",
                hint="Set these with the inputs of the same name.",
                code="reserved_field",
            )
        model = self.find(spec.model)
        if model is None or spec.kind != "create":
            return
        images = len(spec.references) if references is None else references
        self.check_availability(spec.model, spec.seconds, spec.size, spec.provider, images)
        self.check_choice(spec.model, spec.seconds, spec.size)
        if not model.takes(images):
            known = {0: "no reference image", 1: "one reference image", 2: "two images, first and last frame"}
            takes = known.get(int(model.references), f"{model.references} images")
            raise InvalidInputError(f"{model.id} takes {takes}; {images} were given.", code="references_not_offered")
        fields = model.sizes.get(spec.size, {"size": spec.size})
        if replaced := sorted({*fields} & set(spec.extra_fields)):
            raise InvalidInputError(
                f"extra_fields would replace {', '.join(replaced)} of {model.id}.",
                hint="Set it with the inputs of the node; only a custom_model may have a size of its own form.",
                code="reserved_field",
            )

    def check_choice(self, model_id: str, seconds: str, size: str) -> None:
        """InvalidInputError for a model that is not listed, or a length or size that it does not make."""
        model = self.require(model_id)
        if model.needs:
            raise InvalidInputError(
                f"{model.id} works on a {model.needs}, which this version cannot send.",
                hint="Choose another model.",
                code="model_unsupported",
            )
        if model.all_seconds and seconds not in model.all_seconds:
            raise InvalidInputError(
                f"{model.id} does not make {seconds} s.",
                hint=f"Its lengths in seconds: {', '.join(sorted(model.seconds, key=int))}.",
                code="seconds_not_offered",
            )
        if model.all_sizes and size not in model.all_sizes:
            other = model.comes_out.get(size)
            raise InvalidInputError(
                f"{model.id} does not make {size}{f': it would come out as {other}' if other else ''}.",
                hint=f"Its sizes: {', '.join(model.sizes)}.",
                code="size_not_offered",
            )

    def check_availability(
        self, model_id: str, seconds: str, size: str, provider: str, references: int | None = None
    ) -> None:
        """InvalidInputError for a model that its provider has retired; it names the nearest one that lives there."""
        model = self.find(model_id)
        if model is None or model.state(provider) != "retired":
            return
        raise InvalidInputError(
            f"{provider} retired {model.id} on {model.status[provider].date}, so nothing was sent.",
            hint=self.instead(model_id, seconds, size, provider, references)
            + "If it is there again, `sora models --refresh` (in the page: Sora: refresh models) learns it.",
            code="model_retired",
        )

    def check_remix(self, model_id: str, job: str = "") -> None:
        """InvalidInputError for a model that is known to have no remix; `job` is the one that would be remixed."""
        model = self.find(model_id)
        if model is not None and not model.remix:
            raise InvalidInputError(
                f"{model.id} cannot be remixed.",
                hint="Create a new video with the changed prompt.",
                job=job,
                code="remix_unsupported",
            )

    def warning(self, spec: VideoRequest, remix_of: Job | None = None, language: str = "en") -> str:
        """Return what the user should know before the response comes; "" for nothing. A remix is made by the model of
        the job that it is `remix_of`."""
        model = self.find((remix_of or spec).model)
        if model is None:
            return ""
        said = [self._doubt(model, spec.provider, language, noted=remix_of is None)]
        if remix_of is None and (other := self.comes_out(spec)):
            said.append(warning_of("comes_out", language, model=model.id, size=spec.size, other=other))
        return " ".join(filter(None, said))

    @staticmethod
    def _doubt(model: Model, provider: str, language: str, *, noted: bool) -> str:
        """Whether the model may be gone, or what else its row notes."""
        known = model.status.get(provider)
        if known is None:
            return ""
        if known.state == "unknown":
            why = f"it was refused here on {known.date}" if known.here else model.note or known.date
            return warning_of("perhaps_gone", language, provider=provider, model=model.id, why=why)
        return warning_of("noted", language, model=model.id, why=model.note) if model.note and noted else ""

    def instead(self, model_id: str, seconds: str, size: str, provider: str, references: int | None = None) -> str:
        """A sentence that names the nearest living model, or "" where there is none."""
        choice = self.nearest(model_id, seconds, size, provider, references)
        return f"The nearest model that lives there: {choice}. " if choice else ""

    def nearest(
        self, model_id: str, seconds: str, size: str, provider: str, references: int | None = None
    ) -> Choice | None:
        """The living model of that provider that comes closest, with length and size mapped; None where none is known
        to live. It takes as many images as are given (None: as the old one took) where there is such a one. For a
        retired model, its gateway's own successor first; then whichever is nearest in shape, size and length."""
        gone = self.find(model_id)
        alive = [model for model in self.models.values() if model.state(provider) == "live" and model.id != model_id]
        alive = [model for model in alive if model.all_seconds and model.all_sizes]
        if not alive:
            return None
        wanted = parse_size(size) if size else (1280, 720)
        length = int(seconds) if seconds.isdigit() else 5
        took = gone.references if gone else 0
        images = (2 if took == "several" else took) if references is None else references

        def mapped(model: Model) -> tuple[tuple[float, ...], Choice]:
            true_sizes = [offered for offered in model.sizes if offered not in model.comes_out]
            shape = min(true_sizes, key=lambda offered: _distance(offered, wanted))
            time = min(model.seconds, key=lambda offered: (abs(int(offered) - length), int(offered)))
            lacks = 0 if model.references == "several" else max(0, images - model.references)
            return (lacks, *_distance(shape, wanted), abs(int(time) - length)), Choice(model.id, time, shape)

        found = {model.id: mapped(model) for model in alive}
        best, choice = min(found.values(), key=lambda pair: pair[0])
        # A successor, or another version of the same name, comes first; not where it only makes another shape, or takes
        # fewer images.
        kin = [gone.successor if gone else "", *difflib.get_close_matches(model_id, found, n=1, cutoff=0.8)]
        as_good = [found[name][1] for name in kin if name in found and found[name][0][:2] <= (best[0], 0)]
        return as_good[0] if as_good else choice

    def size_fields(self, spec: VideoRequest) -> Mapping[str, str]:
        """The form fields that ask for the spec's size; an unlisted one goes as `size` in `WxH`."""
        model = self.find(spec.model)
        return {"size": spec.size} if model is None else model.sizes.get(spec.size, {"size": spec.size})

    def fields(self, model_id: str) -> Mapping[str, FieldRule]:
        """What `extra_fields` may carry for that model: its own fields, and those that are harmless anywhere."""
        model = self.find(model_id)
        return {**shipped(), **read_rules(model.extra_fields if model else {})}

    def dearer_fields(self, spec: VideoRequest) -> list[str]:
        """Return the names of its `extra_fields` that can make the job cost more than its length and size say."""
        return dearer_fields(spec.extra_fields, self.fields(spec.model))

    def estimate_usd(self, spec: VideoRequest | Job) -> float | None:
        """Listed price of the whole job in dollars, or None where it is unknown."""
        model = self.find(spec.model)
        rate = model.usd_per_second(spec.size) if model is not None else None
        return None if rate is None or not spec.seconds.isdigit() else round(rate * int(spec.seconds), 4)

    def rows(self) -> list[dict[str, Any]]:
        """All of it as plain JSON, for the page and for `sora models --json`. Of a model that may take more than is
        known, every length or size can be chosen, the known ones first."""
        names = [
            name for name in Model.__dataclass_fields__ if name not in ("sizes", "status", "seconds", "resolutions")
        ]
        return [
            {name: _plain(getattr(model, name)) for name in names}
            | {
                "seconds": _in_order([*model.seconds, *(self.seconds() if "seconds" in model.more else ())]),
                "sizes": _in_order([*model.sizes, *(self.sizes() if "sizes" in model.more else ())]),
            }
            | {"status": {provider: status._asdict() for provider, status in model.status.items()}}
            | {"is_offered": model.is_offered, "price_age_days": model.price_age_days()}
            for model in self.models.values()
        ]


def _distance(offered: str, wanted: tuple[int, int]) -> tuple[float, float]:
    """How far a size is from the wanted one: in shape, then in number of pixels."""
    width, height = parse_size(offered)
    shape = abs(width / height - wanted[0] / wanted[1])
    return round(shape, 1), abs(width * height - wanted[0] * wanted[1])


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _in_order(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
