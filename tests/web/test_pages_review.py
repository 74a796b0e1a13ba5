"""What pages say: to people, to search engines, to link cards and to nobody (spoilers)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from lxml import html as lxml_html

from tests.web.conftest import AUTHOR_ONLY, Blog, linked_data

BASE = "https://drama.example"
PAGE = "/reviews/lighthouse-street/"
TITLE = 'Salt & Light: <Lighthouse> "Street"'


@pytest.fixture(scope="module")
def page(shared: Blog) -> Any:
    """The page of the review that has everything."""
    return shared.tree(PAGE)


def _words(node: Any) -> str:
    return " ".join(node.text_content().split())


def _one(page: Any, path: str) -> str:
    found = page.xpath(path)
    assert len(found) == 1, (path, found)
    return found[0] if isinstance(found[0], str) else _words(found[0])


def _meta(page: Any, name: str) -> list[str]:
    return list(page.xpath(f"//meta[@property='{name}' or @name='{name}']/@content"))


# --------------------------------------------------------------------------- for people


def test_the_review_shows_what_its_file_says(page: Any) -> None:
    """Every field of the front matter that is for readers is on the page."""
    assert _one(page, "//h1") == TITLE
    words = _words(page.xpath("//main")[0])
    for text in (
        "Season 2, episodes 1–8",
        "2 April 2021",
        "Updated 1 May 2021",
        "Mild spoilers",
        "Content notes: drowning, grief",
        "At night Photo credit: tvN",
        "4.5 out of 5",
        "Slow, and right to be.",
        "Watch the trailer on YouTube",
        "Correction, 1 May 2021: The keeper is called Jun.",
        "About the writers",
        "Watches the first episode twice.",
        "Reads the credits to the end.",
        "@ilse@drama.example",
        "Talk about it",
        "More on Lighthouse Street",
    ):
        assert text in words
    assert page.xpath("//time/@datetime")[:2] == ["2021-04-02T18:00:00+09:00", "2021-05-01T09:30:00+09:00"]
    assert _one(page, "//span[contains(@class, 'stars')]/@class") == "stars s90"
    figure = page.xpath("//figure[@class='still']/img")[0]
    assert (figure.get("alt"), figure.get("width"), figure.get("height")) == (
        "A lamp & its tower",
        "64",
        "36",
    )
    assert page.xpath("//a[text()='tvN']/@href") == ["https://tvn.example/"]
    names = [_words(a) for a in page.xpath("//header//a[@rel='author']")]
    assert names == ["김민지", "Ilse Vermeer", "Tom Passer"]
    tags = page.xpath("//nav[@class='tags']//a")
    assert [(_words(a), a.get("href")) for a in tags] == [
        ("slow burn", "/tags/slow-burn/"),
        ("harbour", "/tags/harbour/"),
        ("등대", "/tags/%EB%93%B1%EB%8C%80/"),
    ]


def test_the_facts_of_the_drama_are_beside_it(page: Any) -> None:
    """The facts box keeps the precision of dates and marks Hangul as Korean."""
    rows = {_words(dt): _words(dt.getnext()) for dt in page.xpath("//dl[@class='rows']//dt")}
    assert rows == {
        "Original title": "등대길",
        "Romanised": "Deungdaegil",
        "Released": "March 2021",
        "Watch on": "tvN",
        "Length": "2 seasons, 16 episodes",
        "Genre": "melodrama",
        "Written by": "Seo Ha-neul",
        "Directed by": "Bae Do-yun",
        "Based on": "the novel “The Lamp” by Yun Seo",
        "Country": "South Korea",
    }
    assert page.xpath("//dl[@class='rows']//dd[text()='등대길']/@lang") == ["ko"]
    cast = page.xpath("//dl[@class='cast']/div")
    assert [[_words(node) for node in role] for role in cast] == [["Han Ye-jin", "Keeper"], ["Oh Min", ""]]
    assert page.xpath("//aside//a[@rel='noopener']/@href") == [
        "https://www.imdb.com/title/tt1234567/",
        "https://www.themoviedb.org/tv/4711",
        "https://www.wikidata.org/wiki/Q42",
    ]


def test_a_credit_without_a_picture_is_shown(shared: Blog) -> None:
    """A credit without a file is kept."""
    other = shared.tree("/reviews/other/")
    assert _one(other, "//p[contains(@class, 'credit')]") == "Photo credit: Nobody at all"
    assert not other.xpath("//main//figure")


def test_links_stay_on_this_host_and_lead_somewhere(shared: Blog) -> None:
    """Every link and picture of every page is a path that answers, so pages work under any name."""
    asked: dict[str, int] = {}
    for path in shared.addresses():
        if not path.endswith("/"):
            continue
        for link in shared.tree(path).xpath("//body//@href | //@src | //link[@rel!='canonical']/@href"):
            target = link.partition("#")[0]
            if not target or target.startswith(f"{BASE}/ap/"):
                continue
            if target.startswith("/") and target not in asked:
                asked[target] = shared.get(target).status_code
            assert target.startswith(("/", "https://")), link
            assert not target.startswith(BASE), (path, link)
    assert set(asked.values()) == {200}
    assert len(asked) > 40


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(shared: Blog) -> None:
    """Row 57: no third-party request; no script, no inline style, no event handler."""
    for path in shared.addresses():
        if path.endswith("/"):
            tree = shared.tree(path)
            loaded = tree.xpath("//@src | //link[@rel='stylesheet' or @rel='icon']/@href | //@srcset")
            assert all(value.startswith("/") for value in loaded)
            assert set(tree.xpath("//script/@type")) <= {"application/ld+json"}
            assert not tree.xpath("//@style | //style | //iframe | //object | //embed | //form")
            assert not [name for node in tree.iter() for name in node.attrib if name.startswith("on")]


def test_headings_and_landmarks_are_in_order(shared: Blog) -> None:
    """One h1, no level skipped, one main, a skip link that lands; ids are unique; pictures have a size."""
    for path in [*shared.addresses(), "/nothing"]:
        if not path.endswith("/") and path != "/nothing":
            continue
        tree = shared.tree(path)
        levels = [int(node.tag[1]) for node in tree.xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
        assert levels.count(1) == 1, path
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(levels)), (path, levels)
        assert len(tree.xpath("//main")) == len(tree.xpath("//header[@class='masthead']")) == 1
        assert tree.xpath("//a[@class='skip']/@href") == ["#main"]
        ids = tree.xpath("//@id")
        assert len(ids) == len(set(ids))
        for name in tree.xpath("//@aria-labelledby"):
            assert name in ids
        for image in tree.xpath("//img"):
            assert image.get("alt") is not None
            assert image.get("width")
            assert image.get("height")


def test_languages_and_directions(shared: Blog, make_blog: Callable[..., Blog]) -> None:
    """The page has the review's language; Hangul in English pages is marked; Arabic runs right to left."""
    assert shared.tree(PAGE).xpath("/html/@lang") == ["en"]
    assert shared.tree("/reviews/news/").xpath("/html/@lang") == ["ko"]
    assert shared.tree("/").xpath("//article[@lang='ko']//h2/a/@href") == ["/reviews/news/"]
    assert "첫눈" in shared.tree("/").xpath("//h2//span[@lang='ko']/text()")
    blog = make_blog()
    blog.write("site.yaml", "title: مدونة\nlanguage: ar\n")
    blog.write("authors/a.md", "---\nname: ليلى\n---\nنص.\n")
    blog.write(
        "reviews/b.md", "---\ntitle: English here\nlang: en\npublished: 2020-01-01 10:00\n---\nText.\n"
    )
    blog.write("reviews/c.md", "---\ntitle: منارة 등대\npublished: 2020-01-02 10:00\ntags: [بحر]\n---\nنص.\n")
    blog.publish()
    assert blog.tree("/").xpath("/html/@dir") == ["rtl"]
    assert blog.tree("/").xpath("//article//h2/@dir") == ["auto", "ltr"]
    assert sorted(blog.tree("/reviews/b/").xpath("/html/@dir | /html/@lang")) == ["en", "ltr"]
    slug = blog.tree("/").xpath("//article[1]//h2/a/@href")[0]
    assert blog.tree(slug).xpath("/html/@dir") == ["rtl"]
    tag = blog.tree(slug).xpath("//nav[@class='tags']//a/@href")[0]
    assert blog.get(tag).status_code == 200


def test_hangul_in_a_text_is_marked_as_korean(make_blog: Callable[..., Blog]) -> None:
    """Voices and fonts fit; attributes, whatever stands in them, stay whole; Korean pages need no mark."""
    blog = make_blog()
    blog.write("authors/a.md", AUTHOR_ONLY)
    blog.picture("reviews/p.png")
    body = 'It is *눈치*, and more.\n\n![a > b 한글 "c"](p.png)\n\n# Top 등대\n\n### Deep\n'
    blog.write("reviews/e.md", f"---\ntitle: E\npublished: 2020-01-01 10:00\n---\n{body}")
    blog.write("reviews/k.md", f"---\ntitle: K\nlang: ko\npublished: 2020-01-02 10:00\n---\nOne.\n\n{body}")
    blog.publish()
    text = blog.tree("/reviews/e/").xpath("//div[contains(@class, 'e-content')]")[0]
    assert text.xpath(".//span[@lang='ko']/text()") == ["눈치", "등대"]
    assert text.xpath(".//img/@alt") == ['a > b 한글 "c"']
    assert [node.tag for node in text.xpath(".//h2|.//h3|.//h4")] == ["h2", "h4"]
    assert not blog.tree("/reviews/k/").xpath("//span[@lang='ko']")


def test_the_blogs_links_are_its_own(shared: Blog) -> None:
    """`rel=me` on the home page vouches for the blog's links; other pages do not vouch for them."""
    link = "//footer//a[@href='https://forum.example/']/@rel"
    assert shared.tree("/").xpath(link) == ["me noopener"]
    for path in ("/authors/ilse/", "/about/", PAGE):
        assert shared.tree(path).xpath(link) == ["noopener"]


def test_emoji_and_every_script_make_addresses(make_blog: Callable[..., Blog]) -> None:
    """Titles, slugs and tags in any script have pages and feeds that answer."""
    blog = make_blog()
    blog.write("authors/a.md", "---\nname: A\n---\n")
    titles = ["눈물의 여왕", "❄️ Winter Sonata 2", "שלום", "ประเทศไทย", "Ὀδύσσεια", "愛の不時着", "ﬁre & ice"]
    for number, title in enumerate(titles):
        front = f"title: '{title}'\npublished: 2020-01-0{number + 1} 10:00\ntags: ['{title}']"
        blog.write(f"reviews/{title}.md", f"---\n{front}\n---\nText {number}.\n")
    blog.publish()
    links = blog.tree("/").xpath("//article//h2/a")
    assert [_words(link) for link in links] == titles[::-1]
    for link in links:
        tree = blog.tree(link.get("href"))
        assert _one(tree, "//h1") == _words(link)
        for tag in tree.xpath("//nav[@class='tags']//a/@href"):
            for name in ("", "feed.xml", "atom.xml", "feed.json"):
                assert blog.get(tag + name).status_code == 200


HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}{% x %}</title></script>'&amp;"


def test_hostile_words_stay_words(make_blog: Callable[..., Blog]) -> None:
    """A80: whatever a writer types is shown as text on every page and breaks no data block."""
    blog = make_blog()
    quoted = json.dumps(HOSTILE)
    link = f'{{name: {quoted}, url: "https://a.example/?a=1&b=2"}}'
    blog.write("site.yaml", f"title: {quoted}\ndescription: {quoted}\nlinks: [{link}]\n")
    blog.write("authors/a.md", f"---\nname: A <b>\npronouns: {quoted}\nlinks: [{link}]\n---\n{HOSTILE}\n")
    blog.picture("reviews/p.jpg")
    facts = "\n".join(f"{name}: {quoted}" for name in ("title", "title_native", "country", "status"))
    blog.write("dramas/d.yaml", f"{facts}\n")
    front = "\n".join(f"{name}: {quoted}" for name in ("title", "verdict", "summary", "correction"))
    image = f"image: {{file: p.jpg, alt: {quoted}, credit: {quoted}, caption: {quoted}}}"
    labels = f"tags: [{json.dumps(HOSTILE[:50])}]\ncontent_notes: [{quoted}]"
    blog.write(
        "reviews/r.md",
        f"---\npublished: 2020-01-01 10:00\ndrama: d\n{front}\n{image}\n{labels}\n---\n"
        f"{HOSTILE}\n\n:::spoiler {HOSTILE}\nx\n:::\n",
    )
    blog.write("pages/p.md", f"---\ntitle: {quoted}\n---\n{HOSTILE}\n")
    blog.publish()
    for path in blog.addresses():
        text = blog.text(path)
        assert "49" not in re.findall(r"\D49\D", text)
        if path.endswith("/"):
            tree = lxml_html.fromstring(text)
            assert not tree.xpath("//script[not(@type)] | //img[@src='x'] | //@onerror")
            assert all(isinstance(block, dict) for block in linked_data(tree))
    tree = blog.tree("/reviews/r/")
    assert _one(tree, "//h1") == HOSTILE
    assert linked_data(tree)[0]["name"] == HOSTILE
    assert _meta(tree, "og:title") == [HOSTILE]
    assert tree.xpath("//figure/img/@alt") == [HOSTILE]


# --------------------------------------------------------------------------- for machines


def test_open_graph_and_cards(page: Any) -> None:
    """Row 53: OpenGraph and Twitter tags, pictures with size and alt, absolute addresses."""
    assert _meta(page, "og:type") == ["article"]
    assert _meta(page, "og:title") == _meta(page, "twitter:title") == [TITLE]
    assert _meta(page, "og:url") == [BASE + PAGE]
    assert _meta(page, "og:site_name") == ["Subtitles On"]
    assert _meta(page, "og:locale") == ["en"]
    image = _meta(page, "og:image")[0]
    assert re.fullmatch(rf"{BASE}/media/[0-9a-f]{{32}}\.jpg", image)
    assert _meta(page, "twitter:image") == [image]
    assert (_meta(page, "og:image:width"), _meta(page, "og:image:height")) == (["64"], ["36"])
    assert _meta(page, "og:image:alt") == _meta(page, "twitter:image:alt") == ["A lamp & its tower"]
    assert _meta(page, "article:published_time") == ["2021-04-02T09:00:00+00:00"]
    assert _meta(page, "article:modified_time") == ["2021-05-01T00:30:00+00:00"]
    assert _meta(page, "article:author")[1] == f"{BASE}/authors/ilse/"
    assert _meta(page, "article:section") == ["Review"]
    assert _meta(page, "article:tag") == ["slow burn", "harbour", "등대"]
    assert _meta(page, "twitter:card") == ["summary_large_image"]
    summary = "A slow year in a harbour town, told by the people who stayed."
    for name in ("description", "og:description", "twitter:description"):
        assert _meta(page, name)[0].startswith(summary)


def test_the_first_writer_is_credited(shared: Blog, page: Any) -> None:
    """Demand 16: `fediverse:creator` names the first writer who can be followed."""
    assert _meta(page, "fediverse:creator") == ["@minji@drama.example"]
    assert _meta(shared.tree("/authors/ilse/"), "fediverse:creator") == ["@ilse@drama.example"]
    assert _meta(shared.tree("/authors/tom/"), "fediverse:creator") == []


def test_feeds_are_announced_rss_first(shared: Blog) -> None:
    """Row 49: a page's own feeds come before the site's, and RSS before the others."""
    expected = {
        "/": ["/"],
        "/authors/ilse/": ["/authors/ilse/", "/"],
        "/tags/harbour/": ["/tags/harbour/", "/"],
        "/dramas/lighthouse-street/": ["/dramas/lighthouse-street/", "/"],
        "/reviews/other/": ["/authors/ilse/", "/"],
        "/about/": ["/"],
    }
    for path, owners in expected.items():
        tree = shared.tree(path)
        links = tree.xpath("//link[@rel='alternate'][contains(@type, 'xml') or contains(@type, 'feed')]")
        assert [link.get("href") for link in links] == [
            f"{owner}{name}" for owner in owners for name in ("feed.xml", "atom.xml", "feed.json")
        ]
        assert links[0].get("type") == "application/rss+xml"
        assert all(link.get("title") for link in links)


def test_the_review_in_linked_data(page: Any) -> None:
    """Rows 50-52: a Review of the season with the drama's facts, and the rating as given."""
    review, card = linked_data(page)
    assert (review["@type"], review["name"], review["url"]) == ("Review", TITLE, BASE + PAGE)
    rating = {"@type": "Rating", "ratingValue": 4.5, "bestRating": 5, "worstRating": 0}
    assert review["reviewRating"] == rating
    assert [author["name"] for author in review["author"]] == ["김민지", "Ilse Vermeer", "Tom Passer"]
    assert review["author"][1]["sameAs"] == ["https://ilse.example/"]
    assert review["datePublished"] == "2021-04-02T09:00:00+00:00"
    assert review["image"]["creditText"] == "tvN"
    season = review["itemReviewed"]
    assert (season["@type"], season["seasonNumber"]) == ("TVSeason", 2)
    series = season["partOfSeries"]
    assert (series["@type"], series["name"], series["startDate"]) == (
        "TVSeries",
        "Lighthouse Street",
        "2021-03",
    )
    assert series["alternateName"] == ["등대길", "Deungdaegil"]
    assert series["numberOfEpisodes"] == 16
    assert series["actor"][0]["characterName"] == "Keeper"
    assert series["isBasedOn"]["author"]["name"] == "Yun Seo"
    assert "https://www.wikidata.org/wiki/Q42" in series["sameAs"]
    # Mastodon reads WebPage alone, and takes the headline for the card's title.
    assert (card["@type"], card["headline"]) == ("WebPage", TITLE)
    assert card["author"][0]["name"] == "김민지"
    assert card["publisher"]["name"] == "Subtitles On"


def test_nothing_is_invented_in_linked_data(shared: Blog) -> None:
    """No rating without a rating, no drama without a drama; news is no review."""
    recap = linked_data(shared.tree("/reviews/첫눈/"))[0]
    assert recap["@type"] == "Review"
    assert "reviewRating" not in recap
    assert recap["itemReviewed"] == {"@type": "CreativeWorkSeries", "name": "첫눈 ❄ שלום"}
    news = linked_data(shared.tree("/reviews/news/"))[0]
    assert (news["@type"], news["headline"]) == ("NewsArticle", "A second season is coming")
    assert news["about"]["name"] == "Lighthouse Street"
    assert "itemReviewed" not in news


def test_microformats(page: Any) -> None:
    """Row 54: h-entry and h-review with item, rating, authors, photo, dates and text."""
    entry = page.xpath("//main/article")[0]
    assert "h-entry h-review" in entry.get("class")

    def properties(name: str) -> list[Any]:
        return list(entry.xpath(f".//*[contains(concat(' ', @class, ' '), ' {name} ')]"))

    assert [_words(n) for n in properties("p-name") if n.tag == "h1"] == [TITLE]
    assert [n.get("value") for n in properties("p-rating")] == ["4.5"]
    assert [n.get("value") for n in properties("p-best")] == ["5"]
    assert [n.get("value") for n in properties("u-url") if n.tag == "data"] == [BASE + PAGE]
    assert [_words(n) for n in properties("p-item")] == ["Lighthouse Street"]
    assert len(properties("p-author")) == 3
    for name in ("e-content", "dt-published", "dt-updated"):
        assert len(properties(name)) == 1
    assert [_words(n) for n in properties("p-category")] == ["slow burn", "harbour", "등대"]
    outside = [n for n in properties("u-photo") if not n.xpath("ancestor::*[contains(@class, 'h-card')]")]
    assert [n.get("alt") for n in outside] == ["A lamp & its tower"]


def test_the_home_page_is_a_feed_for_microformats(shared: Blog) -> None:
    """h-feed with an h-entry for every card."""
    cards = shared.tree("/").xpath("//div[@class='h-feed']//article")
    assert len(cards) == 4
    assert all("h-entry" in card.get("class") for card in cards)


def test_no_oembed(shared: Blog) -> None:
    """Row 56: Mastodon would try it first and discard it."""
    assert not [path for path in shared.addresses() if "oembed" in shared.text(path)]


def test_a_canonical_address_elsewhere(make_blog: Callable[..., Blog]) -> None:
    """`canonical_url` is for search engines; link cards keep our own address."""
    blog = make_blog()
    blog.write("authors/a.md", AUTHOR_ONLY)
    front = "title: R\npublished: 2020-01-01 10:00\ncanonical_url: https://elsewhere.example/r"
    blog.write("reviews/r.md", f"---\n{front}\n---\nText.\n")
    blog.publish()
    tree = blog.tree("/reviews/r/")
    assert tree.xpath("//link[@rel='canonical']/@href") == ["https://elsewhere.example/r"]
    assert _meta(tree, "og:url") == [f"{BASE}/reviews/r/"]


# --------------------------------------------------------------------------- following


def test_following_is_explained(shared: Blog) -> None:
    """Demand 19: a handle to copy, what to do with it, and feeds, on author pages and at home."""
    for path, account in (("/authors/ilse/", "@ilse@drama.example"), ("/", "@blog@drama.example")):
        tree = shared.tree(path)
        follow = tree.xpath("//section[@id='follow']")[0]
        assert follow.xpath(".//code/text()") == [account]
        assert "paste it into the search of your Mastodon app" in _words(follow)
        assert [_words(a) for a in follow.xpath(".//ul[@class='feeds']//a")] == ["RSS", "Atom", "JSON Feed"]
    me = shared.tree("/authors/ilse/").xpath("//header//a[@rel='me noopener']/@href")
    assert me == ["https://ilse.example/"]
    assert not shared.tree("/authors/tom/").xpath("//main//code")


@pytest.mark.parametrize(
    "given, shown",
    [
        ({"base_url": "http://127.0.0.1:8000"}, False),
        ({"base_url": "http://127.0.0.1:8000", "ALLOW_PRIVATE_ADDRESSES": "yes"}, True),
        ({"FEDERATE": "no"}, False),
        ({}, True),
    ],
)
def test_a_try_out_says_that_it_cannot_be_followed(
    make_blog: Callable[..., Blog], given: dict[str, Any], shown: bool
) -> None:
    """Ruling 26: where others cannot follow, a line says so instead of a handle that fails."""
    blog = make_blog(**given).fill()
    for path in ("/", "/authors/ilse/", PAGE):
        text = blog.text(path)
        assert ('class="handle"' in text) is shown
        assert ("cannot be followed from outside" in text) is not shown


# --------------------------------------------------------------------------- spoilers


def test_spoilers_are_folded_on_their_page_and_nowhere_else(shared: Blog) -> None:
    """The canary is in one `<details>` or the text of its own page, not elsewhere."""
    for path in shared.addresses():
        text = shared.text(path)
        if path == PAGE:
            assert text.count("canaryword") == 1
            details = shared.tree(path).xpath("//details[@class='spoiler']")
            assert "canaryword" in _words(details[0])
            assert not details[0].xpath("@open")
        elif path == "/reviews/other/":  # spoilers: full: the page itself is the place for it
            tree = shared.tree(path)
            assert "canaryword" in _words(tree.xpath("//div[contains(@class, 'e-content')]")[0])
            assert text.count("canaryword") == 1
        else:
            assert "canaryword" not in text, path


def test_a_review_that_gives_everything_away_says_so(shared: Blog) -> None:
    """`spoilers: full`: the card has the warning, the description names the title and the scope."""
    cards = shared.tree("/").xpath("//article[.//a[@href='/reviews/other/']]")
    assert "Spoilers for the whole story" in _words(cards[0])
    tree = shared.tree("/reviews/other/")
    assert _meta(tree, "description") == ["The Other One: spoilers for the whole story."]
    assert _one(tree, "//div[@role='note']") == "Spoilers for the whole story"
