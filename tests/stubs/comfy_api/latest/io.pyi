from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, ClassVar, Literal

from . import ui as _ui

class FolderType(str, Enum):
    output = "output"

class Hidden(str, Enum):
    unique_id = "UNIQUE_ID"

class HiddenHolder:
    unique_id: str | None

class RemoteOptions:
    def __init__(
        self, route: str, refresh_button: bool, control_after_refresh: Literal["first", "last"] = "first"
    ) -> None: ...

class Input:
    def __init__(self, id: str, *, optional: bool = False, tooltip: str | None = None) -> None: ...

class Output:
    def __init__(self, id: str | None = None, display_name: str | None = None, tooltip: str | None = None) -> None: ...

class ComfyTypeIO:
    class Input(Input): ...
    class Output(Output): ...

def Custom(io_type: str) -> type[ComfyTypeIO]: ...

class Image(ComfyTypeIO): ...
class Mask(ComfyTypeIO): ...
class Audio(ComfyTypeIO): ...
class Video(ComfyTypeIO): ...

class Boolean(ComfyTypeIO):
    class Input(Input):
        def __init__(
            self,
            id: str,
            *,
            optional: bool = False,
            tooltip: str | None = None,
            default: bool | None = None,
            advanced: bool | None = None,
        ) -> None: ...

class Int(ComfyTypeIO):
    class Input(Input):
        def __init__(
            self,
            id: str,
            *,
            optional: bool = False,
            tooltip: str | None = None,
            default: int | None = None,
            min: int | None = None,
            max: int | None = None,
            step: int | None = None,
            advanced: bool | None = None,
        ) -> None: ...

class Float(ComfyTypeIO):
    class Input(Input):
        def __init__(
            self,
            id: str,
            *,
            optional: bool = False,
            tooltip: str | None = None,
            default: float | None = None,
            min: float | None = None,
            max: float | None = None,
            step: float | None = None,
            advanced: bool | None = None,
        ) -> None: ...

class String(ComfyTypeIO):
    class Input(Input):
        def __init__(
            self,
            id: str,
            *,
            optional: bool = False,
            tooltip: str | None = None,
            multiline: bool = False,
            default: str | None = None,
            advanced: bool | None = None,
        ) -> None: ...

class Combo(ComfyTypeIO):
    class Input(Input):
        def __init__(
            self,
            id: str,
            options: list[str] | None = None,
            *,
            optional: bool = False,
            tooltip: str | None = None,
            default: str | None = None,
            remote: RemoteOptions | None = None,
            advanced: bool | None = None,
        ) -> None: ...

class Schema:
    def __init__(
        self,
        node_id: str,
        *,
        display_name: str | None = None,
        category: str = "sd",
        inputs: list[Input] = ...,
        outputs: list[Output] = ...,
        hidden: list[Hidden] = ...,
        description: str = "",
        search_aliases: list[str] = ...,
        is_output_node: bool = False,
    ) -> None: ...

class NodeOutput:
    def __init__(
        self, *args: Any, ui: _ui.PreviewImage | _ui.PreviewVideo | dict[str, list[str]] | None = None
    ) -> None: ...

class ComfyNode:
    hidden: ClassVar[HiddenHolder]
    # Class methods with the node's inputs as parameters, which differ from node to node.
    define_schema: ClassVar[Callable[[], Schema]]
    execute: ClassVar[Callable[..., Awaitable[NodeOutput]]]
    validate_inputs: ClassVar[Callable[..., bool | str]]
    fingerprint_inputs: ClassVar[Callable[..., int]]
