"""What a node shows of itself in the page."""

from __future__ import annotations

from typing import Any

from .io import FolderType


class SavedResult(dict[str, str]):
    """A file that the page can ask for at /view."""

    def __init__(self, filename: str, subfolder: str, type: FolderType) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=type.value)


class PreviewVideo:
    """A player."""

    def __init__(self, values: list[SavedResult | dict[str, str]], **kwargs: Any) -> None:
        self.values = values

    def as_dict(self) -> dict[str, Any]:
        return {"images": self.values, "animated": (True,)}
