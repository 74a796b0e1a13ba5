"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.site import Site


@pytest.fixture
def new_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Makes sites in temporary folders; closes them at the end."""
    sites: list[Site] = []

    def make(name: str = "site", **options: Any) -> Site:
        sites.append(Site(tmp_path / name, **options))
        return sites[-1]

    yield make
    for site in sites:
        site.close()


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """A site with an author, past its first pass, on a clock that stands at noon."""
    made = new_site()
    made.author()
    made.turn()
    return made
