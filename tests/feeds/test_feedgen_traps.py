"""Each trap of feedgen 1.0 has one test here; the code that avoids it says "Trap" in a comment."""

from __future__ import annotations

import json
import locale
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

import pytest
from lxml import etree

from dramafeed.feeds import FeedAuthor, FeedDocument, FeedUrls, atom, json_feed, rss
from tests.feeds.samples import BLOG, a_feed, an_entry

NS = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "fh": "http://purl.org/syndication/history/1.0",
    "media": "http://search.yahoo.com/mrss/",
    "podcast": "https://podcastindex.org/namespace/1.0",
    "thr": "http://purl.org/syndication/thread/1.0",
}
OLDER = FeedUrls(f"{BLOG}/old/feed.xml", f"{BLOG}/old/atom.xml", f"{BLOG}/old/feed.json")


def find(xml: bytes, path: str) -> list[etree._Element]:
    """The elements at `path`."""
    return etree.fromstring(xml).findall(path, NS)


def texts(xml: bytes, path: str) -> list[str | None]:
    """The texts of the elements at `path`."""
    return [element.text for element in find(xml, path)]


def test_atom_entry_links_keep_rel_type_and_length() -> None:
    """feedgen overwrites its loop variable, so its entry links are bare addresses (issue 143)."""
    links = find(atom(a_feed(an_entry())), "a:entry/a:link")
    assert [(link.get("rel"), link.get("type"), link.get("length")) for link in links] == [
        ("alternate", "text/html", None),
        ("enclosure", "image/jpeg", "48213"),
        ("related", "application/activity+json", None),
        ("replies", "text/html", None),
    ]


def test_atom_entries_link_to_their_replies() -> None:
    """feedgen refuses the relation "replies" with a ValueError."""
    (link,) = find(atom(a_feed(an_entry(7))), "a:entry/a:link[@rel='replies']")
    assert link.get("href") == f"{BLOG}/reviews/review-7/#replies"
    assert link.get(f"{{{NS['thr']}}}count") == "7"


def test_the_channel_link_is_the_page_and_no_other_link() -> None:
    """feedgen takes the last link that was added, be it the feed's own or the hub's (issue 122)."""
    feed = a_feed(hub="https://hub.example/", links=(("prev-archive", OLDER),))
    assert texts(rss(feed), "channel/link") == [f"{BLOG}/"]


def test_hub_and_paging_reach_rss() -> None:
    """feedgen writes no link but "self" into RSS."""
    feed = a_feed(hub="https://hub.example/", links=(("prev-archive", OLDER),), archive=True)
    links = {link.get("rel"): link.get("href") for link in find(rss(feed), "channel/a:link")}
    assert links == {
        "self": f"{BLOG}/feed.xml",
        "hub": "https://hub.example/",
        "prev-archive": OLDER.rss,
    }
    assert find(rss(feed), "channel/fh:archive")


def test_writers_without_an_address_are_named_in_rss() -> None:
    """feedgen drops an author without an email address; dc:creator names each, in order."""
    writers = (FeedAuthor("Ilse"), FeedAuthor("김민지"))
    xml = rss(a_feed(an_entry(authors=writers)))
    assert texts(xml, "channel/item/dc:creator") == ["Ilse", "김민지"]
    assert not find(xml, "channel/item/author")


def test_dates_come_from_the_content_and_not_from_the_clock() -> None:
    """feedgen says "now" wherever it is told no date."""
    feed = a_feed(an_entry(1), an_entry(2), created=datetime.fromisoformat("1999-01-01T00:00Z"))
    newest = "2022-11-06T19:00:00+00:00"
    assert texts(rss(feed), "channel/lastBuildDate") == ["Sun, 06 Nov 2022 19:00:00 +0000"]
    assert texts(atom(feed), "a:updated") == [newest]
    assert texts(atom(feed), "a:entry/a:updated")[1] == newest


def test_entries_stay_in_order(twenty: FeedDocument) -> None:
    """feedgen puts each new entry in front of the others."""
    titles = [entry.title for entry in twenty.entries]
    assert texts(rss(twenty), "channel/item/title") == titles
    assert texts(atom(twenty), "a:entry/a:title") == titles


def test_atom_content_is_html() -> None:
    """feedgen writes type="CDATA" into Atom, where that is not a type."""
    (content,) = find(atom(a_feed(an_entry())), "a:entry/a:content")
    assert content.get("type") == "html"


@pytest.mark.parametrize("character", ["\v", "\0", "\x1b", "\ud800", "\ufffe", "\x85"])
def test_a_control_character_does_not_take_the_feed_down(character: str) -> None:
    """One vertical tab in a title makes feedgen raise ValueError for the whole feed."""
    text = f"be{character}fore"
    feed = a_feed(
        an_entry(title=text, summary=text, html=text, categories=(text,)), title=text, subtitle=text
    )
    read = "be fore" if character == "\x85" else "before"
    assert texts(rss(feed), "channel/item/title") == [read]
    assert texts(atom(feed), "a:entry/a:title") == [read]
    assert json.loads(json_feed(feed))["items"][0]["title"] == read


def test_the_end_of_a_cdata_section_may_stand_in_the_text() -> None:
    """`]]>` in a review reads back as it was written."""
    html = "<p>]]></p><p>]]&gt; ]]]]><![CDATA[></p>"
    xml = rss(a_feed(an_entry(html=html, image=None)))
    assert texts(xml, "channel/item/content:encoded") == [html]


def test_ids_are_no_addresses() -> None:
    """Without isPermaLink="false", readers would open the id as a page."""
    entry = an_entry()
    (guid,) = find(rss(a_feed(entry)), "channel/item/guid")
    assert (guid.text, guid.get("isPermaLink")) == (entry.id, "false")


def test_what_feedgen_has_no_word_for_is_there() -> None:
    """item atom:updated, thr, podcast: the extensions write them."""
    xml = rss(a_feed(an_entry(7)))
    assert texts(xml, "channel/item/a:updated") == ["2022-11-11T19:00:00+00:00"]
    assert texts(xml, "channel/item/thr:total") == ["7"]
    (person,) = find(xml, "channel/item/podcast:person")
    assert person.text == "Ilse"
    assert dict(person.attrib) == {
        "href": f"{BLOG}/authors/ilse/",
        "group": "writing",
        "role": "author",
    }
    (post,) = find(xml, "channel/item/podcast:socialInteract")
    assert dict(post.attrib) == {
        "protocol": "activitypub",
        "uri": f"{BLOG}/ap/reviews/7",
        "accountId": "@ilse@blog.example",
    }


@pytest.mark.parametrize("render", [rss, atom])
def test_no_prefix_is_made_up(feed: FeedDocument, render: Callable[[FeedDocument], bytes]) -> None:
    """Elements that an extension puts into Atom's own namespace would be called ns0:link."""
    xml = render(feed)
    assert b"ns0" not in xml
    assert xml.count(b'xmlns="') == (1 if render is atom else 0)


def test_a_picture_stands_alone() -> None:
    """feedgen wraps one picture in a media:group and knows neither its credit nor its alt text."""
    for xml, path in ((rss, "channel/item"), (atom, "a:entry")):
        (content,) = find(xml(a_feed(an_entry())), f"{path}/media:content")
        assert {child.tag.rpartition("}")[2]: child.text for child in content} == {
            "description": "A roof",
            "credit": "Netflix",
            "thumbnail": None,
        }
        assert content.get("fileSize") == "48213"


def test_a_date_without_a_zone_names_its_field() -> None:
    """feedgen raises from its depths; here the value cannot even be made."""
    with pytest.raises(ValueError, match=r"published has no time zone: 2022-11-04T18:00:00"):
        an_entry(published=datetime(2022, 11, 4, 18))  # noqa: DTZ001 - the mistake under test


def test_the_locale_of_the_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """feedgen switches it for every date in RSS, under the feet of other threads."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("the locale was touched")

    monkeypatch.setattr(locale, "setlocale", refuse)
    feed = a_feed(an_entry())
    assert texts(rss(feed), "channel/lastBuildDate") == ["Sat, 05 Nov 2022 19:00:00 +0000"]
    assert texts(rss(feed), "channel/item/pubDate") == ["Sat, 05 Nov 2022 18:00:00 +0000"]


def test_full_text_and_summary_each_have_their_element() -> None:
    """feedgen writes content:encoded only beside a description."""
    entry = an_entry()
    assert texts(rss(a_feed(entry)), "channel/item/content:encoded") == [entry.full_text]
    assert texts(rss(a_feed(entry)), "channel/item/description") == ["Summary 1."]


def test_without_a_summary_the_description_is_the_full_text() -> None:
    """The one element that every reader knows is never missing."""
    entry = an_entry(summary="")
    assert texts(rss(a_feed(entry)), "channel/item/description") == [entry.full_text]
