"""Types, inputs, outputs, schemas and the base class of nodes. Nothing here is looser than in ComfyUI: an unknown
keyword is a TypeError, and ids are unique as the strictest supported host wants them."""

from __future__ import annotations

import inspect
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class FolderType(StrEnum):
    input = "input"
    output = "output"
    temp = "temp"


class Hidden(StrEnum):
    """Values that the host fills in."""

    unique_id = "UNIQUE_ID"
    prompt = "PROMPT"


class RemoteOptions:
    """A list that the page fetches."""

    def __init__(
        self,
        route: str,
        refresh_button: bool,
        control_after_refresh: str = "first",
        timeout: int | None = None,
        max_retries: int | None = None,
        refresh: int | None = None,
    ) -> None:
        self.route, self.refresh_button, self.control_after_refresh = route, refresh_button, control_after_refresh


class Input:
    """One input; `Parent` is the type that it belongs to."""

    Parent: Any = None

    def __init__(
        self, id: str, display_name: str | None = None, optional: bool = False, tooltip: str | None = None
    ) -> None:
        self.id, self.display_name, self.optional, self.tooltip = id, display_name, optional, tooltip

    @property
    def io_type(self) -> str:
        io_type: str = self.Parent.io_type
        return io_type

    def get_io_type(self) -> str:
        return self.io_type


class WidgetInput(Input):
    """One input that can also be typed in; `more` is set as attributes."""

    def __init__(self, id: str, optional: bool, tooltip: str | None, default: Any, advanced: bool | None, **more: Any):
        super().__init__(id, None, optional, tooltip)
        self.default, self.advanced = default, advanced
        self.__dict__.update(more)


class Output:
    """One output; its name in the page is `display_name`, else its id."""

    Parent: Any = None

    def __init__(
        self,
        id: str | None = None,
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
    ) -> None:
        self.id, self.display_name, self.tooltip = id, display_name or id, tooltip

    @property
    def io_type(self) -> str:
        io_type: str = self.Parent.io_type
        return io_type


class ComfyTypeIO:
    """The base of all types, which have an `Input` and an `Output` of their own."""

    io_type: str
    Input, Output = Input, Output


def Custom(io_type: str) -> Any:
    """A type that only its own sockets fit."""
    kind = type("CustomComfyType", (ComfyTypeIO,), {"io_type": io_type})
    for base in (Input, Output):
        setattr(kind, base.__name__, type(base.__name__, (base,), {"Parent": kind}))
    return kind


Image, Mask, Audio, Video = Custom("IMAGE"), Custom("MASK"), Custom("AUDIO"), Custom("VIDEO")
String, Int, Float, Combo = Custom("STRING"), Custom("INT"), Custom("FLOAT"), Custom("COMBO")
Boolean = Custom("BOOLEAN")


class _StringInput(WidgetInput):
    Parent = String

    def __init__(
        self,
        id: str,
        optional: bool = False,
        tooltip: str | None = None,
        multiline: bool = False,
        default: str | None = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, optional, tooltip, default, advanced, multiline=multiline)


class _IntInput(WidgetInput):
    Parent = Int

    def __init__(
        self,
        id: str,
        optional: bool = False,
        tooltip: str | None = None,
        default: int | None = None,
        min: int | None = None,
        max: int | None = None,
        step: int | None = None,
        control_after_generate: bool | None = None,
        advanced: bool | None = None,
    ) -> None:
        more = {"min": min, "max": max, "step": step, "control_after_generate": control_after_generate}
        super().__init__(id, optional, tooltip, default, advanced, **more)


class _FloatInput(WidgetInput):
    Parent = Float

    def __init__(
        self,
        id: str,
        optional: bool = False,
        tooltip: str | None = None,
        default: float | None = None,
        min: float | None = None,
        max: float | None = None,
        step: float | None = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, optional, tooltip, default, advanced, min=min, max=max, step=step)


class _BooleanInput(WidgetInput):
    Parent = Boolean

    def __init__(
        self,
        id: str,
        optional: bool = False,
        tooltip: str | None = None,
        default: bool | None = None,
        label_on: str | None = None,
        label_off: str | None = None,
        advanced: bool | None = None,
    ) -> None:
        super().__init__(id, optional, tooltip, default, advanced, label_on=label_on, label_off=label_off)


class _ComboInput(WidgetInput):
    Parent = Combo

    def __init__(
        self,
        id: str,
        options: list[str] | None = None,
        optional: bool = False,
        tooltip: str | None = None,
        default: str | None = None,
        control_after_generate: bool | None = None,
        remote: RemoteOptions | None = None,
        advanced: bool | None = None,
    ) -> None:
        more = {"options": options, "remote": remote, "control_after_generate": control_after_generate}
        super().__init__(id, optional, tooltip, default, advanced, **more)


String.Input, Int.Input, Float.Input, Combo.Input = _StringInput, _IntInput, _FloatInput, _ComboInput
Boolean.Input = _BooleanInput


@dataclass
class Schema:
    """The declaration of a node."""

    node_id: str
    display_name: str | None = None
    category: str = "sd"
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    hidden: list[Hidden] = field(default_factory=list)
    description: str = ""
    search_aliases: list[str] = field(default_factory=list)
    is_output_node: bool = False
    is_api_node: bool = False

    def validate(self) -> None:
        """0.3.64 wants ids to be unique among inputs and outputs together."""
        ids = Counter(one.id for one in [*self.inputs, *self.outputs])
        if twice := [name for name, count in ids.items() if count > 1]:
            raise ValueError(f"Ids must be unique, but {twice} are not.")


class NodeOutput:
    """What `execute` gives: values in the order of the outputs, and what the node shows."""

    def __init__(self, *args: Any, ui: Any = None) -> None:
        self.args, self.ui = args, ui

    @property
    def result(self) -> tuple[Any, ...] | None:
        return self.args or None


class HiddenHolder:
    """The hidden values of one run; one that was not asked for is None."""

    unique_id: str | None

    def __init__(self, values: dict[Hidden, Any]) -> None:
        self.unique_id, self.prompt = values.get(Hidden.unique_id), values.get(Hidden.prompt)


class ComfyNode:
    """The base of all nodes. A run works on a clone of the class, which carries the hidden values."""

    hidden: HiddenHolder | None = None

    @classmethod
    def define_schema(cls) -> Schema:
        raise NotImplementedError

    @classmethod
    async def execute(cls, **inputs: Any) -> NodeOutput:
        raise NotImplementedError

    @classmethod
    def validate_inputs(cls, **inputs: Any) -> bool | str:
        raise NotImplementedError

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def GET_SCHEMA(cls) -> Schema:
        schema = cls.define_schema()
        schema.validate()
        return schema

    @classmethod
    def PREPARE_CLASS_CLONE(cls, hidden_inputs: dict[Hidden, Any]) -> type[ComfyNode]:
        return type(cls.__name__, (cls,), {"hidden": HiddenHolder(hidden_inputs)})

    @classmethod
    async def EXECUTE_NORMALIZED_ASYNC(cls, **inputs: Any) -> NodeOutput:
        assert inspect.iscoroutinefunction(cls.execute)
        given = await cls.execute(**inputs)
        if not isinstance(given, NodeOutput):
            raise TypeError(f"Invalid return type from node: {type(given)}")
        return given
