"""What a node shows of itself in the page."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import torch
from PIL import Image

from .io import FolderType


class SavedResult(dict[str, str]):
    """A file that the page can ask for at /view."""

    def __init__(self, filename: str, subfolder: str, type: FolderType) -> None:
        super().__init__(filename=filename, subfolder=subfolder, type=type.value)


class PreviewImage:
    """A batch of images, each in a PNG of the temp folder. As in ComfyUI, floats are cut off to 8 bits, not rounded."""

    def __init__(self, image: torch.Tensor, animated: bool = False, cls: Any = None, **kwargs: Any) -> None:
        prefix = "ComfyUI_temp_" + "".join(random.choices("abcdefghijklmnopqrstupvxyz", k=5))
        height, width = image[0].shape[:2]
        folder, name, counter, subfolder, _ = folder_paths.get_save_image_path(
            prefix, folder_paths.get_temp_directory(), width, height
        )
        self.values, self.animated = [], animated
        for number in range(len(image)):
            eight = np.clip(255.0 * image[number].numpy(), 0, 255).astype(np.uint8)
            file = f"{name}_{counter + number:05}_.png"
            Image.fromarray(eight).save(Path(folder) / file, compress_level=1)
            self.values.append(SavedResult(file, subfolder, FolderType.temp))

    def as_dict(self) -> dict[str, Any]:
        return {"images": self.values, "animated": (self.animated,)}


class PreviewVideo:
    """A player."""

    def __init__(self, values: list[SavedResult | dict[str, str]], **kwargs: Any) -> None:
        self.values = values

    def as_dict(self) -> dict[str, Any]:
        return {"images": self.values, "animated": (True,)}
