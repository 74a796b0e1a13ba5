"""A world of other servers on real sockets, and a site in it. Each test's docstring begins with its rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.hostile import World, hostile_fediverse
from tests.site import Site


@pytest.fixture
def world() -> Iterator[World]:
    """Servers that listen on loopback (`tests.hostile`)."""
    with hostile_fediverse() as made:
        yield made


@pytest.fixture
def site(world: World, caplog: pytest.LogCaptureFixture) -> Iterator[Site]:
    """A site that works through the real transport; whatever happens to it, it logs no fault of its own."""
    caplog.set_level(logging.INFO, "dramafeed")
    yield world.site()
    faults = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert not faults
