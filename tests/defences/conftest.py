"""A world of other servers on real sockets, and a site in it. Each test's docstring begins with its rows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.defences.watch import Watch, watching
from tests.hostile import World, hostile_fediverse
from tests.site import Site


@pytest.fixture
def world() -> Iterator[World]:
    """Servers that listen on loopback (`tests.hostile`)."""
    with hostile_fediverse() as made:
        yield made


@pytest.fixture
def site(world: World) -> Site:
    """A site that works through the real transport."""
    return world.site()


@pytest.fixture
def watch(site: Site) -> Iterator[Watch]:
    """Sees what the site stores and logs; at the end it must have logged no fault of its own."""
    with watching(site) as made:
        yield made
