"""Where the state, the videos and the temporary files of this user's ComfyUIs are.

The command line has to open the ledger that the nodes of the same pack use: else it would buy again what they bought.
The folders around the pack do not tell where it is (ComfyUI Desktop, `--base-directory`, `--user-directory`), so the
nodes leave a record in the user's data folder, outside of the pack and named after it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import InvalidInputError
from ..util.atomic_write import atomic_write
from ..util.bounded_read import read_json, read_text
from ..util.disk import is_gone


@dataclass(frozen=True, kw_only=True)
class Location:
    """Absolute paths, as the ComfyUI used them that runs the pack in `pack`; `at` is when it said so, in seconds since
    the epoch. `database` is the `mark` of the ledger's database, "" for the file in `home`; None where the
    settings could not be read, or in a record of an older version."""

    pack: str
    home: str
    output: str
    temp: str
    at: float
    database: str | None = None

    @property
    def is_stale(self) -> bool:
        """Is the state folder gone, since ComfyUI was moved or removed? One that this user may not look into is not."""
        return is_gone(Path(self.home))

    @property
    def day(self) -> str:
        """When it was said, for a person."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.at))


def user_folder() -> Path:
    """The platform's folder for this user's data. InvalidInputError where there is no home folder (no HOME, as in some
    services and containers)."""
    import platformdirs

    folder = Path("~")
    with contextlib.suppress(RuntimeError):  # older platformdirs return the ~ instead
        folder = Path(platformdirs.user_data_dir("sora", appauthor=False))
    if not folder.is_absolute():
        raise InvalidInputError(
            "This user has no home folder, so there is no place for the ledger.",
            hint="Set SORA_HOME to a folder that this user may write, or HOME.",
            code="no_home_folder",
        )
    return folder


def packs() -> list[Path]:
    """The folder of this pack, by the path under which it was loaded and by the real one: it may be a link."""
    here = Path(__file__)
    return list(dict.fromkeys((here.absolute().parents[3], here.resolve().parents[3])))


def record_location(home: Path, output: Path, temp: Path, database: str | None = None) -> None:
    """Record for the command line where the nodes' folders are. OSError, InvalidInputError where that cannot be
    written."""
    places = {"home": str(home), "output": str(output), "temp": str(temp)}
    for pack in packs():
        told = Location(pack=str(pack), **places, at=time.time(), database=database)
        atomic_write(_record(pack), json.dumps(asdict(told), indent=1).encode())


def recorded_location() -> Location | None:
    """What the nodes of this pack said last; None where they never did."""
    with contextlib.suppress(InvalidInputError):
        found = [location for pack in packs() if (location := _read(_record(pack))) is not None]
        return max(found, key=lambda location: location.at, default=None)
    return None


def location_of(home: Path) -> Location | None:
    """What the ComfyUI said that used this state folder last; None where none did."""
    with contextlib.suppress(InvalidInputError):
        real = os.path.realpath(home)
        found = [location for location in _all(user_folder()) if os.path.realpath(location.home) == real]
        return max(found, key=lambda location: location.at, default=None)
    return None


def record_of(home: Path) -> Path | None:
    """The file by which that state folder is known to the command line; None where it is known without one."""
    told = location_of(home)
    return None if told is None else _record(Path(told.pack))


def surrounding_comfyui() -> Path | None:
    """The folder around the `custom_nodes` that holds this pack, where it looks like a ComfyUI's or its base folder;
    else None."""
    for pack in packs():
        base = pack.parents[1]
        if pack.parent.name == "custom_nodes" and any((base / name).is_dir() for name in ("comfy", "user", "models")):
            return base
    return None


def state_folder(env: Mapping[str, str]) -> Path:
    """The ledger that the command line opens where no `--home` is given: `SORA_HOME`, else that of the nodes of this
    pack, else that of the ComfyUI around it, else the platform's place. InvalidInputError where there is none of
    them."""
    if home := env.get("SORA_HOME", "").strip():
        return _expanded(home)
    if (told := recorded_location()) is not None and not told.is_stale:
        return Path(told.home)
    comfyui = surrounding_comfyui()
    return user_folder() if comfyui is None else comfyui / "user" / "__sora"


def output_folder() -> Path | None:
    """Where the nodes of this pack put their videos; None outside of a ComfyUI."""
    if (told := recorded_location()) is not None and not told.is_stale:
        return Path(told.output)
    comfyui = surrounding_comfyui()
    return None if comfyui is None else comfyui / "output"


def default_output() -> tuple[Path, str]:
    """Return the root of the videos where none is named, and the folder in it: ComfyUI's `output` and `sora`, outside
    of a ComfyUI `out` in the current folder, itself."""
    comfyui = output_folder()
    return (Path("out").absolute(), "") if comfyui is None else (comfyui, "sora")


def other_homes(home: Path) -> list[Path]:
    """Other state folders of this user with a ledger: of other ComfyUIs, and of the command line outside of any. Also
    those that this user may not look into."""
    found: list[Path] = []
    with contextlib.suppress(InvalidInputError):
        folder = user_folder()
        comfyui = surrounding_comfyui()
        found += [folder, *([comfyui / "user" / "__sora"] if comfyui else [])]
        found += [Path(location.home) for location in _all(folder)]
    mine = os.path.realpath(home)
    unique = {os.path.realpath(place): place for place in found if os.path.realpath(place) != mine}
    return [place for place in unique.values() if not is_gone(place / "ledger.sqlite3")]


def _expanded(home: str) -> Path:
    try:
        return Path(home).expanduser().absolute()
    except RuntimeError:  # ~ without a home folder
        raise InvalidInputError(
            f"SORA_HOME is {home!r}, and this user has no home folder.",
            hint="Write the whole path.",
            code="no_home_folder",
        ) from None


def _record(pack: Path) -> Path:
    """Where the word of a pack is."""
    return user_folder() / "packs" / f"{hashlib.sha256(str(pack).encode()).hexdigest()[:16]}.json"


def _all(folder: Path) -> Iterator[Location]:
    for file in sorted((folder / "packs").glob("*.json")):
        if (location := _read(file)) is not None:
            yield location


def _read(file: Path) -> Location | None:
    try:
        told = read_json(read_text(file))
        older = {"database": None}
        location = Location(**{name: (older | told)[name] for name in Location.__dataclass_fields__})
    except (OSError, ValueError, TypeError, KeyError):  # nobody said so, or something else is written there
        return None
    texts = (location.pack, location.home, location.output, location.temp)
    right = all(isinstance(text, str) and Path(text).is_absolute() for text in texts)
    right = right and isinstance(location.database, str | None)
    return location if right and isinstance(location.at, int | float) else None
