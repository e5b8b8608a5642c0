from torch import Tensor

from .io import FolderType

class SavedResult(dict[str, str]):
    def __init__(self, filename: str, subfolder: str, type: FolderType) -> None: ...

class PreviewImage:
    def __init__(self, image: Tensor) -> None: ...

class PreviewVideo:
    def __init__(self, values: list[SavedResult]) -> None: ...
