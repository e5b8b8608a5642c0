"""Every test starts from a clean environment: no key, no address, no state folder of the machine's owner."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import leftovers
from .films import films_folder
from .outside import Guard, imports_it, is_outside
from .postgres import ABSENT, Server, find_programs
from .systems import on_wine

leftovers.watch_all()

if on_wine():
    # The first program that needs a desktop starts it, as a process that holds the program's pipes open from then on.
    # That is to be this program, and not one whose output a test reads to its end.
    import ctypes

    ctypes.WinDLL("user32").GetDesktopWindow()

with contextlib.suppress(ImportError):  # ComfyUI's own Python runs tests/nodes without it
    from hypothesis import HealthCheck, settings

    # No test fails because the machine is busy.
    settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("busy")


# What takes longest, in that order. The files of a group share a host and its pages, so one worker runs them.
TAB = (
    "browser/test_tab.py", "browser/test_many.py", "browser/test_costs.py", "browser/test_balance_line.py",
    "browser/test_new_nodes.py", "browser/test_news.py", "browser/test_notify.py",
)  # fmt: skip
GRAPHS = (
    "browser/test_examples.py", "browser/test_badges.py", "browser/test_blocked.py", "browser/test_convert.py",
    "browser/test_models.py", "browser/test_prefix.py", "browser/test_refresh.py",
)  # fmt: skip
LONGEST = (
    *TAB, *GRAPHS, "host/test_road.py", "nodes/test_real_host.py",
    "faults/test_crash_matrix.py", "faults/test_fault_proxy.py", "faults/test_engines_model.py", "engine/test_cli.py",
    "nodes/test_road.py", "engine/test_fetcher.py", "faults/test_takeover.py", "trust/test_fuzz.py",
    "media/test_numbers.py", "trust/test_secret_host.py",
)  # fmt: skip
GROUPS = dict.fromkeys(TAB, "tab") | dict.fromkeys(GRAPHS, "graphs")
GUARD = Guard()


@pytest.hookimpl(tryfirst=True)  # before -m is looked at
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first: begun last, it would run alone at the end."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get("/".join(item.path.parts[-2:]), len(places)))
    for item in items:
        if is_outside(item):
            item.add_marker(pytest.mark.outside)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`make check` need not import the files of which it runs nothing."""
    unwanted = config.option.markexpr == "not outside" and collection_path.match("test_*.py")
    return True if unwanted and imports_it(collection_path) else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With -n: file by file in our order, and a group of files as if they were one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return "host" if "/host/" in file else GROUPS.get("/".join(file.split("/")[-2:]), file)

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(autouse=True)
def _says_what_it_uses(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that `make check` runs uses nothing that may be missing or slow."""
    if request.node.get_closest_marker("outside"):
        yield
        return
    GUARD.begin()
    yield
    assert GUARD.end() == [], "mark it: pytestmark = pytest.mark.outside"


@pytest.fixture(scope="session", autouse=True)
def users_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder for a user's data, also of the programs that a session's fixtures start: never that of whoever runs
    the tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("users-data")
        patch.setenv("XDG_DATA_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def films() -> Path:
    """The folder for the sandbox's films."""
    return films_folder()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, users_data: Path, request: pytest.FixtureRequest) -> None:
    """A user without data, keys and settings."""
    folder = users_data / hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name, **_: str(folder / name))  # not by it on every system
    for name in list(os.environ):
        if name.startswith(("SORA_", "COMETAPI_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv(
        "PYTHONWARNDEFAULTENCODING", raising=False
    )  # which other packages keep to as little as they like
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")  # of programs that a test starts: it reads them so on each system


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server of the tests' own; without its package these tests are skipped and say so."""
    programs = find_programs()
    if programs is None:
        pytest.skip(ABSENT)
    pytest.importorskip("psycopg")
    server = Server(programs)
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each such test runs twice: on the ledger's file ("") and on PostgreSQL."""
    return "" if request.param == "sqlite" else request.getfixturevalue("postgresql").database()
