"""Values of a feed: text that every format can carry, instants to the second, sensible defaults."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dramafeed.feeds import FeedAuthor, FeedImage
from tests.feeds.samples import BLOG, a_feed, an_entry


@pytest.mark.parametrize(
    "written, kept",
    [
        ("  two\n\tlines ", "two lines"),
        ("two\u2028lines\u2029", "two lines"),
        ("be\x0bfore", "before"),
        ("con\x00\x1b\x7f\x80\x9ftrols", "controls"),
        ("next\x85line", "next line"),
        ("lone \ud83e surrogate", "lone surrogate"),
        ("non\ufffe\U0001fffe\ufdd0character", "noncharacter"),
        ("no-break\u00a0space", "no-break\u00a0space"),
        ("가족\u200d👨\u200d👩\u200d👧 שלום", "가족\u200d👨\u200d👩\u200d👧 שלום"),
        ("damage \ufffd stays visible", "damage \ufffd stays visible"),
    ],
)
def test_a_title_is_one_printable_line(written: str, kept: str) -> None:
    """What no format can carry is dropped; what means something is kept."""
    assert an_entry(title=written).title == kept
    assert a_feed(title=written).title == kept


def test_the_text_keeps_its_lines() -> None:
    """Line ends become newlines, as XML parsers would make them."""
    entry = an_entry(html="a\r\nb\rc\n\td", summary="x\r\ny")
    assert (entry.html, entry.summary) == ("a\nb\nc\n\td", "x\ny")


def test_instants_are_whole_seconds_in_utc() -> None:
    """RSS can say no more, and the formats must agree."""
    seoul = timezone(timedelta(hours=9))
    entry = an_entry(updated=datetime(2022, 11, 5, 3, 0, 0, 999999, tzinfo=seoul))
    assert entry.updated == datetime(2022, 11, 4, 18, tzinfo=UTC)


def test_a_missing_title_is_replaced_by_the_address() -> None:
    """Every format demands a title."""
    assert an_entry(title="\x00").title == f"{BLOG}/reviews/review-1/"
    assert a_feed(title=" ").title == f"{BLOG}/"


def test_nameless_authors_and_repeated_categories_are_dropped() -> None:
    """An empty name or tag is invalid, a tag said twice is noise."""
    entry = an_entry(authors=(FeedAuthor("\x00"), FeedAuthor("Ilse")), categories=("a", "", "b", " a "))
    assert entry.authors == (FeedAuthor("Ilse"),)
    assert entry.categories == ("a", "b")


def test_the_feed_stands_in_for_authors_that_are_missing() -> None:
    """Entry, else feed, else the feed's own name and page."""
    blog, ilse = FeedAuthor("The blog"), FeedAuthor("Ilse")
    anonymous = an_entry(authors=())
    assert a_feed().authors == (FeedAuthor("Kim & Lee watch dramas", f"{BLOG}/"),)
    assert a_feed(authors=(blog,)).authors_of(anonymous) == (blog,)
    assert a_feed(authors=(blog,)).authors_of(an_entry(authors=(ilse,))) == (ilse,)


def test_the_last_change_is_that_of_the_newest_edit() -> None:
    """The order of entries is that of publication; an old one may have changed last."""
    changed = datetime(2023, 1, 1, tzinfo=UTC)
    assert a_feed(an_entry(2), an_entry(1, updated=changed)).updated == changed


def test_an_empty_feed_changed_when_its_caller_says() -> None:
    """There is no clock to ask."""
    assert a_feed().updated == datetime(2022, 1, 1, tzinfo=UTC)


def test_the_figure_has_size_alt_caption_and_credit() -> None:
    """All that the writer said of a picture reaches readers that know nothing but HTML."""
    image = FeedImage(f"{BLOG}/a.png?x=1&y=2", "image/png", 640, 480, 9, '"A" & <B>', "C & D", "Roof <1>")
    assert image.figure == (
        f'<figure><img src="{BLOG}/a.png?x=1&amp;y=2" alt="&quot;A&quot; &amp; &lt;B&gt;"'
        ' width="640" height="480"><figcaption>Roof &lt;1&gt; <small>C &amp; D</small>'
        "</figcaption></figure>"
    )


def test_a_bare_picture_has_an_empty_alt_and_no_caption() -> None:
    """An img without alt is an error in HTML; an unknown size is left out."""
    image = FeedImage(f"{BLOG}/a.png", "image/png")
    assert image.figure == f'<figure><img src="{BLOG}/a.png" alt=""></figure>'


def test_the_full_text_begins_with_the_picture() -> None:
    """Readers show the first picture of the text as the lead."""
    entry = an_entry(html="<p>Text</p>")
    assert entry.image
    assert entry.full_text == f"{entry.image.figure}\n<p>Text</p>"
    assert an_entry(html="<p>Text</p>", image=None).full_text == "<p>Text</p>"
