"""Fields become typed values; the whole table of the content folder's documentation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from dramafeed.content import json_schema
from dramafeed.model import (
    AuthorStatus,
    Drama,
    Federate,
    Federation,
    Kind,
    Link,
    Rating,
    Role,
    Source,
    SpoilerLevel,
    Spoilers,
)

from .conftest import Folder


def review(folder: Folder, front: str, site: str = ""):  # type: ignore[no-untyped-def]
    if site:
        folder.write("site.yaml", site)
    folder.write("reviews/rain.md", f"---\ntitle: Rain\n{front}\n---\nText.\n")
    return folder.review()


@pytest.mark.parametrize(
    "written, instant, date_only",
    [("2022-11-04 18:00", datetime(2022, 11, 4, 17, tzinfo=UTC), False),
     ("2022-11-04T18:00:30", datetime(2022, 11, 4, 17, 0, 30, tzinfo=UTC), False),
     ("2022-07-04 18:00", datetime(2022, 7, 4, 16, tzinfo=UTC), False),
     ("2022-11-04 18:00Z", datetime(2022, 11, 4, 18, tzinfo=UTC), False),
     ("2022-11-04T18:00:00+09:00", datetime(2022, 11, 4, 9, tzinfo=UTC), False),
     ("2022-11-04 08:00 -0330", datetime(2022, 11, 4, 11, 30, tzinfo=UTC), False),
     ("2022-3-27 02:30", datetime(2022, 3, 27, 1, 30, tzinfo=UTC), False),  # skipped by summer time
     ("2022-11-04", datetime(2022, 11, 4, 11, tzinfo=UTC), True)],
)  # fmt: skip
def test_dates(folder: Folder, written: str, instant: datetime, date_only: bool) -> None:
    """Dates are read in the site's zone unless they name their own offset; a day alone is noon."""
    made = review(folder, f"published: {written}", "timezone: Europe/Brussels\n")
    assert (made.published, made.date_only) == (instant, date_only)


def test_zone_is_utc_without_a_site(folder: Folder) -> None:
    """The machine's zone never counts."""
    assert review(folder, "published: 2022-11-04 18:00").published == datetime(2022, 11, 4, 18, tzinfo=UTC)


@pytest.mark.parametrize("written", ["2022-11-04 24:00", "2022-11-04 18", "22-11-04", "soon", "0001-01-01",
                                     "2022-11-04 18:00 +19:00", "2022-00-10",
                                     "November 4, 2022"])  # fmt: skip
def test_dates_that_are_none(folder: Folder, written: str) -> None:
    """What is no date is a problem in its line."""
    folder.write("reviews/rain.md", f"---\ntitle: Rain\npublished: {written}\n---\nText.\n")
    assert folder.problems()[0].startswith("reviews/rain.md:3:12:")


def test_update_before_publication_is_a_warning(folder: Folder) -> None:
    """A typo in a date is worth a warning, not a missing review."""
    review(folder, "published: 2022-11-04\nupdated: 2021-11-05")
    assert "`updated` lies before `published`" in folder.problems()[0]


@pytest.mark.parametrize(
    "written, rating",
    [("8/10", Rating(8, 10)), ("4.5/5", Rating(4.5, 5)), ("4,5 / 5", Rating(4.5, 5)),
     ("4 out of 5", Rating(4, 5)), ("{value: 3, best: 4, worst: 1}", Rating(3, 4, 1)),
     ("{value: 7}", Rating(7, 10)), ("0/5", Rating(0, 5))],
)  # fmt: skip
def test_ratings(folder: Folder, written: str, rating: Rating) -> None:
    """Ratings are understood as people write them."""
    assert review(folder, f"rating: {written}").rating == rating


@pytest.mark.parametrize(
    "written", ["great", "-1/5", "8/0", "{best: 5}", "{value: 1, of: 2}", "[8, 10]", "1e1/10"]
)
def test_ratings_that_are_none(folder: Folder, written: str) -> None:
    """A rating is never guessed."""
    folder.write("reviews/rain.md", f"---\ntitle: Rain\nrating: {written}\n---\nText.\n")
    assert folder.problems()[0].startswith("reviews/rain.md:3:9:")


@pytest.mark.parametrize(
    "written, spoilers",
    [("none", Spoilers()), ("no", Spoilers()), ("mild", Spoilers(SpoilerLevel.MILD)),
     ("FULL", Spoilers(SpoilerLevel.FULL)),
     ("to episode 6", Spoilers(SpoilerLevel.FULL, "to episode 6"))],
)  # fmt: skip
def test_spoilers(folder: Folder, written: str, spoilers: Spoilers) -> None:
    """A level is a level; anything longer says how far it goes and withholds the text."""
    assert review(folder, f"spoilers: {written}").spoilers == spoilers


def test_spoilers_of_the_site(folder: Folder) -> None:
    """A review that says nothing has the site's level; one that says none has none."""
    assert review(folder, "", "spoilers: mild\n").spoilers.level is SpoilerLevel.MILD
    assert review(folder, "spoilers: none", "spoilers: mild\n").spoilers.level is SpoilerLevel.NONE


@pytest.mark.parametrize(
    "written",
    ["https://www.youtube.com/watch?v=abcdefghi-k", "https://youtu.be/abcdefghi-k?t=3", "abcdefghi-k",
     "https://m.youtube.com/watch?list=1&v=abcdefghi-k", "https://www.youtube.com/shorts/abcdefghi-k",
     "https://www.youtube-nocookie.com/embed/abcdefghi-k", "youtube.com/watch?v=abcdefghi-k"],
)  # fmt: skip
def test_trailers_on_youtube(folder: Folder, written: str) -> None:
    """Every spelling of a YouTube video becomes the same address."""
    assert review(folder, f'trailer: "{written}"').trailer == "https://www.youtube.com/watch?v=abcdefghi-k"


@pytest.mark.parametrize(
    "written, address",
    [("https://vimeo.com/123456789", "https://vimeo.com/123456789"), ("123456789", "https://vimeo.com/123456789"),
     ("https://player.vimeo.com/video/123456789", "https://vimeo.com/123456789"),
     ("https://vimeo.com/123456789/0123abcdef", "https://vimeo.com/123456789/0123abcdef")],
)  # fmt: skip
def test_trailers_on_vimeo(folder: Folder, written: str, address: str) -> None:
    """Vimeo's addresses too, with the key of an unlisted video."""
    assert review(folder, f"trailer: {written}").trailer == address


def test_lists(folder: Folder) -> None:
    """Tags and other lists may be written with commas; tags lose their # and their repetitions."""
    made = review(folder, 'tags: "#zombies, high school, Zombies"\ncontent_notes: violence, bullying')
    assert (made.tags, made.content_notes) == (("zombies", "high school"), ("violence", "bullying"))
    assert review(folder, "tags: [a, [b]]".replace("[b]", "b")).tags == ("a", "b")


def test_the_rest_of_a_review(folder: Folder) -> None:
    """Every other field arrives as written."""
    made = review(
        folder,
        "kind: Recap\nseason: 2\nepisodes_covered: 1 – 8\nverdict:  Watch   it\nsummary: |\n  Two\n  lines\n"
        "correction: Name fixed\nlang: ko-kr\nredirect_from: [/old/rain/, 2020/rain]\ncomments: approve\n"
        "canonical_url: https://elsewhere.example/rain\nfederate: now\nfederation: {object: article}\n"
        "draft: yes\nslug: Rain Over\nimported_from: sha256:abc",
    )
    assert made.kind is Kind.RECAP
    assert (made.season, made.episodes_covered, made.verdict) == (2, "1-8", "Watch it")
    assert (made.summary, made.correction, made.lang) == ("Two lines", "Name fixed", "ko-KR")
    assert made.redirect_from == ("/old/rain/", "/2020/rain")
    assert (made.comments, made.canonical_url) == ("approve", "https://elsewhere.example/rain")
    assert (made.federate, made.federation) == (Federate.NOW, Federation(object="article"))
    assert (made.draft, made.slug, made.explicit_slug) == (True, "rain-over", True)
    assert made.imported_from == "sha256:abc"


@pytest.mark.parametrize(
    "written, wish",
    [("yes", Federate.YES), ("no", Federate.NO), ("false", Federate.NO), ("unlisted", Federate.UNLISTED)],
)
def test_federate(folder: Folder, written: str, wish: Federate) -> None:
    """yes, no, now and unlisted, in any of their words."""
    assert review(folder, f"federate: {written}").federate is wish


@pytest.mark.parametrize("old", ["/", "a b", "/x?y=1", "../x", "/ap/x", "https://e.example"])
def test_old_paths_that_are_none(folder: Folder, old: str) -> None:
    """Only paths of old pages can be redirected."""
    folder.write("reviews/rain.md", f"---\ntitle: Rain\nredirect_from: {old}\n---\nText.\n")
    assert folder.problems()[0].startswith("reviews/rain.md:3:16:")


def test_empty_fields_count_as_absent(folder: Folder) -> None:
    """A template's empty fields do no harm."""
    made = review(folder, "rating:\ntags:\nimage: {file: , alt: }\ntrailer: ~\npublished: null\nauthor:")
    assert (made.rating, made.tags, made.image, made.published) == (None, (), None, None)


# ---------------------------------------------------------------------------- other files


def test_drama(folder: Folder) -> None:
    """All facts of a drama, in all the forms they may take."""
    folder.write(
        "dramas/rain.yaml",
        "title: Rain Over Seoul\ntitle_native: 서울의 비\n"
        "title_romanized: Seoul-ui bi\naliases: Rain, Again\n"
        "year: 2022-1\nnetwork: tvN\nplatform: Netflix\nepisodes: 12\nseasons: 1\n"
        "status: season 2 announced\n"
        "based_on: {kind: webtoon, title: Bi, by: Kim Hana}\n"
        "writers: Lee Du, Park Set\ndirectors: [Choi Net]\n"
        "cast:\n  - {actor: Han Da, role: Sora}\n  - Jung Ra as Minho\n  - Kang Ma\n"
        "genres: romance, slice of life\ncountry: KR\n"
        "ids: {imdb: https://www.imdb.com/title/tt1234567/, tmdb: 99966,"
        " wikidata: Q42, mydramalist: 1-rain}\n",
    )
    assert folder.load().dramas["rain"] == Drama(
        slug="rain",
        title="Rain Over Seoul",
        path="dramas/rain.yaml",
        title_native="서울의 비",
        title_romanized="Seoul-ui bi",
        aliases=("Rain, Again",),
        released="2022-01",
        platform="tvN, Netflix",
        episodes=12,
        seasons=1,
        status="season 2 announced",
        based_on=Source("webtoon", "Bi", "Kim Hana"),
        writers=("Lee Du", "Park Set"),
        directors=("Choi Net",),
        cast=(Role("Han Da", "Sora"), Role("Jung Ra", "Minho"), Role("Kang Ma")),
        genres=("romance", "slice of life"),
        country="KR",
        ids=(("imdb", "tt1234567"), ("mydramalist", "1-rain"), ("tmdb", "99966"), ("wikidata", "Q42")),
    )


@pytest.mark.parametrize(
    "fact", ["ids: {imdb: x}", "ids: {letterboxd: x}", "ids: [x]", "cast: [{name: x}]", "year: 22",
             "based_on: {author: x}", "released: 2022-13"]
)  # fmt: skip
def test_drama_facts_that_are_none(folder: Folder, fact: str) -> None:
    """A wrong fact is a problem in its line."""
    folder.write("dramas/rain.yaml", f"title: Rain\n{fact}\n")
    assert folder.problems()[0].startswith("dramas/rain.yaml:2:")


def test_author(folder: Folder) -> None:
    """All that an author's file may say."""
    folder.write(
        "authors/jo.md",
        "---\nname: Jo Lim\naliases: [J. Lim]\nhandle: '@Jo_Lim'\npronouns: they/them\nguest: yes\n"
        "status: alumni\nfediverse: https://social.example/@jo\nmoved_to: jo@social.example\n"
        "links:\n  Instagram: https://instagram.example/jo\n---\n\nWrites.\n",
    )
    author = folder.load().authors["jo"]
    assert (author.name, author.aliases, author.handle) == ("Jo Lim", ("J. Lim",), "jo_lim")
    assert (author.fediverse, author.moved_to) == ("@jo@social.example", "@jo@social.example")
    assert (author.guest, author.status, author.bio) == (True, AuthorStatus.ALUMNI, "Writes.")
    assert author.links == (Link("Instagram", "https://instagram.example/jo"),)


@pytest.mark.parametrize(
    "links",
    ["[https://www.jo.example/]", "[{name: jo.example, url: https://www.jo.example/}]",
     "[{jo.example: https://www.jo.example/}]"],
)  # fmt: skip
def test_links_in_three_forms(folder: Folder, links: str) -> None:
    """Links may be addresses, pairs or a mapping."""
    folder.write("authors/jo.md", f"---\nname: Jo\nlinks: {links}\n---\n")
    assert folder.load().authors["jo"].links == (Link("jo.example", "https://www.jo.example/"),)


def test_site(folder: Folder) -> None:
    """All that site.yaml may say; the federation map is completed with the usual choices."""
    folder.write(
        "site.yaml",
        "title: Rainy Days\ndescription: Quiet series\nlanguage: nl-BE\ntimezone: Asia/Seoul\nhandle: rainy\n"
        "links: {Mastodon: https://social.example/@rainy}\ndefault_author: Mina Peeters\neditors: [mina]\n"
        "spoilers: mild\nfederation: {body: full}\n",
    )
    site = folder.load().site
    assert site is not None
    assert (site.title, site.description, site.language) == ("Rainy Days", "Quiet series", "nl-BE")
    assert (site.timezone, site.handle, site.default_author) == ("Asia/Seoul", "rainy", "mina")
    assert (site.editors, site.spoilers.level) == (("mina",), SpoilerLevel.MILD)
    assert site.federation == Federation("note", "full", "poster")


# ---------------------------------------------------------------------------- for editors


@pytest.mark.parametrize("kind", ["review", "author", "drama", "page", "site"])
def test_json_schema_is_one(kind: str) -> None:
    """Editors get a valid schema that knows no other fields than we do."""
    schema = json_schema(kind)  # type: ignore[arg-type]
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False


def test_json_schema_judges_as_we_do() -> None:
    """The schema accepts the documented example and refuses a misspelt field."""
    validator = Draft202012Validator(json_schema("review"))
    example = {
        "title": "Rain", "author": "mina", "drama": {"title": "Rain", "episodes": 12}, "rating": "8/10",
        "image": {"file": "a.jpg", "alt": "x"}, "tags": ["a"], "kind": "review", "draft": False,
    }  # fmt: skip
    assert validator.is_valid(example)
    assert not validator.is_valid({**example, "raiting": "8/10"})
