"""A look at this machine and the way to the gateway. Nothing is bought, and nothing secret is in a finding."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from .errors import MissingKey, SoraError
from .providers import SANDBOX, check_file
from .studio import Studio

LITTLE_DISK = 2 << 30  # bytes: some forty clips of 30 s


@dataclass(frozen=True)
class Finding:
    """One line: `text` says what was found and, where it is not ok, what cures it."""

    name: str
    level: Literal["ok", "warning", "failed"]
    text: str


def examine(studio: Studio) -> list[Finding]:
    """Everything that can be wrong on the way from here to a video."""
    checks: list[Callable[[Studio], Iterator[Finding]]] = [
        _python, _opencv, _pyav, _disk, _ledger, _farm, _budget, _providers,
    ]  # fmt: skip
    return [finding for check in checks for finding in check(studio)]


def _python(_: Studio) -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} in {sys.executable}")


def _opencv(_: Studio) -> Iterator[Finding]:
    try:
        import cv2
    except ImportError as error:
        yield Finding(
            "opencv", "failed", f"{error}. Install opencv-python, or opencv-python-headless where libGL is missing."
        )
        return
    if not hasattr(cv2, "VideoCapture"):
        yield Finding("opencv", "failed", "cv2 is hollow: uninstall every opencv package, then install opencv-python.")
        return
    yield Finding("opencv", "ok", cv2.__version__)


def _pyav(_: Studio) -> Iterator[Finding]:
    try:
        import av
    except ImportError as error:
        yield Finding("pyav", "failed", f"{error}. Install av.")
        return
    missing = {"h264", "aac"} - set(av.codecs_available)
    if missing:
        yield Finding("pyav", "failed", f"{av.__version__} cannot decode {', '.join(sorted(missing))}; reinstall av.")
    else:
        yield Finding("pyav", "ok", av.__version__)


def _disk(studio: Studio) -> Iterator[Finding]:
    for name, folder in (("state", studio.settings.home), ("output", studio.settings.output)):
        place = next(parent for parent in (folder, *folder.parents) if parent.exists())
        free = shutil.disk_usage(place).free
        level: Literal["ok", "warning"] = "ok" if free > LITTLE_DISK else "warning"
        yield Finding(
            name, level, f"{folder}, {free / (1 << 30):.1f} GiB free" + (": make room" if level != "ok" else "")
        )


def _ledger(studio: Studio) -> Iterator[Finding]:
    if not studio.ledger.database.exists:
        yield Finding("ledger", "ok", f"none yet; it will be {studio.ledger.database.place}")
        return
    try:
        unknown = studio.unsettled()
    except SoraError as error:
        yield Finding("ledger", "failed", str(error))
        return
    if unknown:
        ids = ", ".join(job.id for job in unknown[:5])
        yield Finding(
            "ledger", "warning", f"{len(unknown)} purchases are unknown ({ids}): settle them with `sora resume`."
        )
    else:
        yield Finding("ledger", "ok", studio.ledger.database.place)


def _farm(studio: Studio) -> Iterator[Finding]:
    """Machines that share a ledger must share the output folder: each leaves a file there and looks for the others'."""
    if not studio.ledger.database.shared:
        return
    from .farm import meet

    try:
        seen, missing = meet(studio.ledger.database, studio.settings.output)
    except (SoraError, OSError) as error:
        yield Finding("farm", "failed", str(error))
        return
    if missing:
        lost = f"The files of {', '.join(missing)} are not in {studio.settings.output}"
        yield Finding("farm", "failed", f"{lost}: give all machines the same output folder.")
    else:
        others = f"the files of {', '.join(seen)} are seen here" if seen else "no other machine ran the doctor yet"
        yield Finding("farm", "ok", f"{studio.settings.output}: {others}")


def _budget(studio: Studio) -> Iterator[Finding]:
    try:
        budget = studio.settings.budget
        spent = studio.ledger.spent_usd(budget) if studio.ledger.database.exists else 0.0
    except SoraError as error:
        yield Finding("budget", "failed", str(error))
        return
    text = f"${spent:.2f} of ${budget.usd_per_day:.2f} in 24 hours; at most ${budget.usd_per_job:.2f} per job"
    yield Finding("budget", "ok" if spent < budget.usd_per_day else "warning", text)


def _providers(studio: Studio) -> Iterator[Finding]:
    try:
        check_file(studio.settings)
    except SoraError as error:
        yield Finding("providers", "failed", str(error))
    for name in studio.provider_names():
        if name == SANDBOX:
            yield Finding(name, "ok", "free, on this machine")
            continue
        try:
            origin, status = studio.reach(name)
        except MissingKey as error:
            yield Finding(name, "warning", f"{error.what} {error.advice}")
        except SoraError as error:
            yield Finding(name, "failed", f"{error.what} {error.advice}")
        else:
            refused = status in (401, 403)
            yield Finding(
                name,
                "failed" if refused else "ok",
                f"{origin} answers HTTP {status}" + (": check the key" if refused else ""),
            )
