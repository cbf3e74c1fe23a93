"""Fixtures of the end-to-end tests; when a test fails, the end of each server's log is shown."""
import os
import pathlib
import sys

import pytest

from hearth import BINARY, Hearth

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "faults"))

LOG_LINES_SHOWN = 60


@pytest.fixture
def programs(request):
    """A list: whatever is put into it is ended after the test."""
    started = []
    request.node.programs = started
    yield started
    for program in reversed(started):
        program.end()


@pytest.fixture
def make(tmp_path, programs):
    """make(*flags, folder=..., port=..., env=...): a Hearth that is not running yet."""

    def make_one(*flags, folder=None, **more):
        server = Hearth(folder or tmp_path / "hearth", *flags, **more)
        programs.append(server)
        return server

    return make_one


@pytest.fixture
def server(make):
    """A running Hearth with an empty data folder."""
    return make().start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for program in getattr(item, "programs", []):
            tail = "\n".join(program.log.splitlines()[-LOG_LINES_SHOWN:])
            report.sections.append((f"log of {program.name} in {program.folder}", tail))


def pytest_sessionstart(session):
    if not os.path.exists(BINARY):
        pytest.exit(f"{BINARY} is missing: ./dev build makes it, HEARTH_BINARY names another", 1)
