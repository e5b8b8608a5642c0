"""A look at this machine and the way to the gateway. Nothing is bought, and nothing secret is in a finding."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from ..config.locations import other_homes
from ..config.providers import COMETAPI, SANDBOX, check_file, provider_names
from ..config.snapshot import Config
from ..engine import Engine
from ..errors import MissingKeyError, SoraError
from ..util.disk import VIDEO_NAME, hint_of, network_of, path_is_too_long, reason_of, rights_hint, try_folder
from ..util.redact import redact
from .findings import Finding
from .gateway import check_provider

WINDOWS = os.name == "nt"
# Characters of the longest names in them: a kept reference; a video in a folder of its own, and a second name of it.
LONGEST_REFERENCE = 64 + len(".png.0123456789.part")
LONGEST_OF = {"state": len("references/") + LONGEST_REFERENCE, "output": VIDEO_NAME}
LITTLE_DISK = 2 << 30  # bytes: some forty clips of 30 s


def examine(engine: Engine, blocked: Iterable[str] = (), config: Config | None = None) -> list[Finding]:
    """Everything that can be wrong on the way from here to a video. What breaks one check leaves the others be.
    `blocked` are the names by which ComfyUI's page was opened, and refused."""
    settings = config or engine.settings.read()  # one for all checks, whatever is edited meanwhile
    checks: Mapping[str, Callable[[Engine], Iterator[Finding]]] = {
        "settings": lambda _: _settings(settings), "page": lambda _: _page(settings, blocked), "disk": _disk,
        "ledger": _ledger, "farm": _farm, "budget": lambda engine: _budget(engine, settings), "models": _models,
        "keys": _keys, "providers": lambda engine: _providers(engine, settings),
    }  # fmt: skip
    return _run(MACHINE | {name: partial(check, engine) for name, check in checks.items()})


def examine_without_engine(error: SoraError) -> list[Finding]:
    """The same where no engine could be made, for that reason: what does not need one."""
    return [*_run(MACHINE), Finding("engine", "failed", _words(error))]


def _run(checks: Mapping[str, Callable[[], Iterator[Finding]]]) -> list[Finding]:
    findings: list[Finding] = []
    for name, check in checks.items():
        try:
            for finding in check():
                findings.append(finding)
        except Exception as error:  # noqa: BLE001 - whatever breaks one check, a bug too, must not hide the others
            text = _words(error)
            earlier = next((finding.name for finding in findings if finding.text == text), "")
            findings.append(Finding(name, "failed", f"not looked at: see {earlier}" if earlier else text))
    return findings


def _words(error: Exception) -> str:
    """What happened and what cures it; no word about money, since nothing is bought here."""
    if isinstance(error, SoraError):
        return f"{error.message} {error.hint}".strip()
    return redact(str(error) if isinstance(error, OSError) else f"The check itself broke: {error!r}. Please report it.")


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} in {sys.executable}")


def _opencv() -> Iterator[Finding]:
    from ..media.backends import ONE_OPENCV, opencv_wheels
    from ..media.selftest import opencv

    works, text = opencv()  # else its trouble is the finding
    wheels = opencv_wheels()
    if len(wheels) > 1:
        yield Finding("opencv", "warning", f"{text}; but {' and '.join(wheels)} lie in one folder. {ONE_OPENCV}")
    else:
        yield Finding("opencv", "ok" if works else "warning", text)


def _pyav() -> Iterator[Finding]:
    from ..media.backends import NEW_PYAV, av
    from ..media.selftest import pyav

    text = pyav()
    missing = {"h264", "aac"} - set(av().codecs_available)
    if missing:
        yield Finding("pyav", "failed", f"{text}; it has no {' and no '.join(sorted(missing))}. {NEW_PYAV}")
    else:
        yield Finding("pyav", "ok", text)


MACHINE: dict[str, Callable[[], Iterator[Finding]]] = {"python": _python, "opencv": _opencv, "pyav": _pyav}


def _settings(config: Config) -> Iterator[Finding]:
    faults = config.faults()
    for fault in faults:
        yield Finding("settings", "failed", _words(fault))
    for sentence in config.renamed():
        yield Finding("settings", "warning", sentence)
    if not faults:
        file = config.settings.file
        yield Finding("settings", "ok", str(file) if file.exists() else f"the defaults: there is no {file}")


def _page(config: Config, blocked: Iterable[str]) -> Iterator[Finding]:
    allowed = sorted(config.allowed_hosts - {""})
    refused = [name for name in blocked if name not in allowed]
    for name in refused:
        text = f"ComfyUI's page was opened by the name {name}, and refused. {config.how_to_allow(name)}"
        yield Finding("page", "warning", text)
    if not refused:
        names = " and ".join(("this machine's own names", *allowed))
        yield Finding("page", "ok", f"may be opened by {names}. {config.how_to_allow('NAME')}")


def _disk(engine: Engine) -> Iterator[Finding]:
    for name, folder in (("state", engine.home), ("output", engine.settings.videos)):
        # A link to a drive that is not connected is in the way of the folder: it is tried, too, and fails.
        place = next((parent for parent in (folder, *folder.parents) if os.path.lexists(parent)), folder)
        try:
            free = shutil.disk_usage(place).free
            text = f"{folder}, {free / (1 << 30):.1f} GiB free"
            lacks = try_folder(place)
        except OSError as error:
            denied = name == "state" and isinstance(error, PermissionError)
            hint = rights_hint(folder) if denied else hint_of(error)
            yield Finding(name, "failed", f"{folder} cannot be written: {reason_of(error)}. {hint}")
            continue
        if too_long := path_is_too_long(folder, LONGEST_OF[name]):
            yield Finding(name, "warning", f"{too_long} Choose a shorter folder, or enable long paths in Windows.")
        text += ", can be written" + (f" (without {', '.join(lacks)}, which is allowed for)" if lacks else "")
        enough = free > LITTLE_DISK
        yield Finding(name, "ok" if enough else "warning", text + ("" if enough else ": free disk space"))


def _ledger(engine: Engine) -> Iterator[Finding]:
    for home in other_homes(engine.home):
        yield Finding("ledger", "ok", f'another one of yours is in {home}; `sora import "{home}"` brings it in')
    if not engine.ledger.database.exists:
        yield Finding("ledger", "ok", f"none yet; it will be {engine.whereabouts.place}")
        return
    if not engine.ledger.database.shared and (kind := network_of(engine.home)):
        yield Finding(
            "ledger", "warning",
            f"{engine.whereabouts.place} is on {kind}: SQLite wants a local disk, since locks over a network are "
            "not kept reliably. Set SORA_HOME to a local folder; several machines share a ledger on PostgreSQL "
            "(SORA_DATABASE_URL).",
        )  # fmt: skip
    unknown = engine.uncertain_jobs()
    if unknown:
        ids = ", ".join(job.id for job in unknown[:5])
        yield Finding(
            "ledger",
            "warning",
            f"{len(unknown)} purchases are uncertain ({ids}). Reconcile them in the tab *Sora jobs*, or with "
            "`sora resume`.",
        )
    else:
        yield Finding("ledger", "ok", engine.whereabouts.place)


def _farm(engine: Engine) -> Iterator[Finding]:
    """Machines that share a ledger must share the output folder: each leaves a file there and looks for the others'."""
    if not engine.ledger.database.shared:
        return
    from ..ledger.shared_output import meet

    seen, missing = meet(engine.ledger.database, engine.output)
    if missing:
        lost = f"The files of {', '.join(missing)} are not in {engine.output}"
        cure = "give all machines the same output folder, and --out DIR where ComfyUI was told another one."
        yield Finding("farm", "failed", f"{lost}: {cure}")
    else:
        others = f"the files of {', '.join(seen)} are seen here" if seen else "no other machine ran the doctor yet"
        yield Finding("farm", "ok", f"{engine.output}: {others}")
    yield _kept(engine)


def _kept(engine: Engine) -> Finding:
    """Whether references can be kept where the other machines find them."""
    folder = engine.ledger.references.folders[0]
    try:
        try_folder(folder)
    except OSError as error:
        text = f"Reference images cannot be kept in {folder}: {reason_of(error)}. {hint_of(error)}"
        return Finding("farm", "failed", text)
    if too_long := path_is_too_long(folder, LONGEST_REFERENCE):
        return Finding("farm", "warning", f"{too_long} Choose a shorter folder, or enable long paths in Windows.")
    return Finding("farm", "ok", f"reference images are kept in {folder}")


def _budget(engine: Engine, config: Config) -> Iterator[Finding]:
    spending = engine.spent(config)
    yield Finding("budget", "ok" if spending.usd < spending.per_day.usd_per_day else "warning", str(spending))


def _keys(engine: Engine) -> Iterator[Finding]:
    """Elsewhere than on Windows the mode of a key's file is looked at whenever it is read."""
    if not WINDOWS:
        return
    try:
        profile = Path.home().resolve()
    except RuntimeError:  # a service without a user profile, for which nobody else's files matter
        return
    for file in sorted((engine.home / "keys").glob("*")):
        if file.is_file() and not file.resolve().is_relative_to(profile):
            yield Finding(
                "keys",
                "warning",
                f"{file} has the permissions of its folder, which is outside of your user profile: other users of this "
                "machine may be able to read it. Set the key as an environment variable instead (COMETAPI_KEY), or "
                f"SORA_HOME to a folder in {profile}.",
            )


def _providers(engine: Engine, config: Config) -> Iterator[Finding]:
    faults = [_words(fault) for fault in check_file(config)]
    for fault in faults:
        yield Finding("providers", "failed", fault)
    for name in provider_names(config):
        if name == SANDBOX:
            yield Finding(name, "ok", "free, on this machine")
            continue
        try:
            yield from _gateway(engine, name, config)
        except Exception as error:  # noqa: BLE001 - what breaks the look at one gateway must not hide the others
            text = _words(error)
            yield Finding(name, "failed", "not looked at: see providers" if text in faults else text)


def _gateway(engine: Engine, name: str, config: Config) -> Iterator[Finding]:
    try:
        yield from check_provider(engine.providers.client(name, config=config), engine.catalogue)
    except MissingKeyError as error:
        yield Finding(name, "warning", _words(error))
        with contextlib.closing(engine.providers.client(name, key=False, config=config)) as client:
            for finding in check_provider(client, engine.catalogue):
                # Nothing can be bought there as it is: whoever needs the sandbox alone has no trouble.
                yield dataclasses.replace(finding, level="ok" if finding.level == "ok" else "warning")


def _models(engine: Engine) -> Iterator[Finding]:
    catalogue = engine.catalogue
    living = sum(model.state(COMETAPI) == "live" for model in catalogue.models.values())
    text = f"{len(catalogue.models)} known, {living} of them known to live at {COMETAPI}"
    if catalogue.refreshed_at is None:
        yield Finding("models", "ok", f"{text}; as shipped: `sora models --refresh` asks the gateway")
    else:
        day = time.strftime("%Y-%m-%d", time.localtime(catalogue.refreshed_at))
        yield Finding("models", "ok", f"{text}; refreshed on {day}")
