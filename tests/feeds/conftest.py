"""Feeds to look at: every vector, and a full page of twenty entries."""

from __future__ import annotations

import pytest

from dramafeed.feeds import FeedDocument
from tests.feeds.samples import a_feed, an_entry
from tests.feeds.vectors import NAMES, load


@pytest.fixture
def twenty() -> FeedDocument:
    """A full page, newest first."""
    return a_feed(*(an_entry(number) for number in range(20, 0, -1)))


@pytest.fixture(params=[*NAMES, "twenty"])
def feed(request: pytest.FixtureRequest) -> FeedDocument:
    """Every vector in turn, then a full page."""
    if request.param == "twenty":
        page: FeedDocument = request.getfixturevalue("twenty")
        return page
    return load(request.param)
