"""ComfyUI's folders, and the numbered names of its save nodes."""

from __future__ import annotations

import re
import time
from pathlib import Path

_folders: dict[str, str] = {}


def set_output_directory(output_dir: str) -> None:
    _folders["output"] = output_dir


def set_input_directory(input_dir: str) -> None:
    _folders["input"] = input_dir


def get_input_directory() -> str:
    return _folders["input"]


def set_temp_directory(temp_dir: str) -> None:
    _folders["temp"] = temp_dir


def set_user_directory(user_dir: str) -> None:
    _folders["user"] = user_dir


def get_output_directory() -> str:
    return _folders["output"]


def get_temp_directory() -> str:
    return _folders["temp"]


def get_user_directory() -> str:
    return _folders["user"]


def get_save_image_path(
    filename_prefix: str, output_dir: str, image_width: int = 0, image_height: int = 0
) -> tuple[str, str, int, str, str]:
    """(folder, name, next counter, subfolder, prefix); the folder is made. An Exception for one outside `output_dir`.

    `%year%` and its like are filled in; a counter follows the highest `name_00001_…` that is there.
    """
    now = time.localtime()
    values = {"width": str(image_width), "height": str(image_height), "year": str(now.tm_year)}
    parts = {"month": now.tm_mon, "day": now.tm_mday, "hour": now.tm_hour, "minute": now.tm_min, "second": now.tm_sec}
    for word, value in (values | {word: f"{number:02}" for word, number in parts.items()}).items():
        filename_prefix = filename_prefix.replace(f"%{word}%", value)
    target = Path(output_dir, filename_prefix)
    root, folder = Path(output_dir).resolve(), target.parent.resolve()
    if not folder.is_relative_to(root):
        raise Exception(f"**** ERROR: Saving image outside the output folder is not allowed.\n {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    found = [re.match(re.escape(target.name) + r"_(\d*)", file.name) for file in folder.iterdir()]
    counter = max((int(match[1] or 0) for match in found if match), default=0) + 1
    subfolder = Path(filename_prefix).parent
    return str(target.parent), target.name, counter, subfolder.as_posix() if subfolder.name else "", filename_prefix
