"""The whole folder: cross-checks, what breaks what, and what a second look costs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dramafeed.content import LibraryReader, UnsettledError, drafts, load
from dramafeed.content.review_files import Record
from dramafeed.content.tree import Stat
from dramafeed.model import Severity, Site

from .conftest import AUTHOR, PLAIN, REVIEW, Folder, picture_bytes


def md(front: str = "", body: str = "Text.") -> str:
    return f"---\ntitle: Rain\n{front}\n---\n{body}\n"


def signed(name: str) -> str:
    """The plain text, by somebody else."""
    return PLAIN.replace("Mina Peeters", name).replace("Writes", "Reads")


def test_an_empty_folder_is_a_site(tmp_path: Path) -> None:
    """A folder without files is complete and has the usual site."""
    (tmp_path / "content").mkdir()
    library = load(tmp_path / "content", tmp_path / "media")
    assert (library.site, dict(library.reviews), library.complete) == (Site(), {}, True)
    assert library.root_identity


def test_a_missing_folder_is_incomplete(tmp_path: Path) -> None:
    """Without the folder nothing can be concluded: no exception, no site, no identity."""
    library = load(tmp_path / "gone", tmp_path / "media")
    assert (library.site, library.complete, library.root_identity) == (None, False, "")


def test_an_unreadable_folder_is_incomplete(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subfolder that cannot be read makes the library incomplete, and keeps what was known."""
    folder.write("reviews/rain.md", REVIEW)
    folder.load()
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("reviews"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    library = folder.load()
    assert not library.complete


def test_an_unreadable_file_is_a_problem(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without read rights exists, so its last edition stays."""
    file = folder.write("reviews/rain.md", REVIEW)
    real = os.open

    def refuse(path: str, flags: int, *rest: object) -> int:
        if str(path) == str(file):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    assert folder.problems() == [
        "reviews/rain.md:1:1: The file cannot be read (Permission denied). Check its rights."
    ]
    assert folder.load().broken == {"reviews/rain.md"}


def test_a_file_that_vanishes_is_gone(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file deleted between the look and the reading is simply not there."""
    file = folder.write("reviews/rain.md", REVIEW)
    real = os.open

    def vanish(path: str, flags: int, *rest: object) -> int:
        if str(path) == str(file):
            raise FileNotFoundError(2, "No such file")
        return real(path, flags, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", vanish)
    library = folder.load()
    assert (dict(library.reviews), library.problems, library.broken) == ({}, (), frozenset())


def test_a_bad_file_harms_only_itself(folder: Folder) -> None:
    """All other files are read when one is broken."""
    folder.write("reviews/rain.md", REVIEW)
    folder.write("reviews/bad.md", "---\ntitle: a: b\n---\n")
    folder.write("authors/bad.md", "---\nnam: x\n---\n")
    folder.write("dramas/bad.yaml", "title: a: b\n")
    folder.write("pages/bad.md", "nothing")
    folder.write("pages/about.md", md())
    library = folder.load()
    assert (list(library.reviews), list(library.pages)) == (["reviews/rain.md"], ["about"])
    assert library.broken == {"reviews/bad.md", "authors/bad.md", "dramas/bad.yaml", "pages/bad.md"}
    assert {p.severity for p in library.problems} == {Severity.ERROR}


def test_facts(folder: Folder) -> None:
    """Every content file has its time."""
    folder.write("reviews/rain.md", REVIEW)
    facts = folder.load().facts["reviews/rain.md"]
    assert abs(facts.modified - (folder.now - timedelta(hours=1))) < timedelta(milliseconds=1)
    assert facts.committed is None


def test_index_files(folder: Folder) -> None:
    """A review with its pictures has a folder of its own, whose name is its slug."""
    folder.write("reviews/Rain Over/index.md", md("image: {file: poster.jpg, alt: x}"))
    folder.write("reviews/Rain Over/poster.jpg", picture_bytes())
    folder.write("reviews/plain/index.txt", PLAIN)
    folder.write("reviews/plain/plain.png", picture_bytes(kind="PNG"))
    reviews = folder.load().reviews
    assert [r.slug for r in reviews.values()] == ["rain-over", "plain"]
    assert all(r.image and r.image.picture for r in reviews.values())


def test_upper_case_extensions(folder: Folder) -> None:
    """Windows and cameras write extensions in capitals."""
    folder.write("reviews/RAIN.MD", md())
    folder.write("reviews/RAIN.JPG", picture_bytes())
    review = folder.review("reviews/RAIN.MD")
    assert (review.slug, review.image is not None) == ("rain", True)


# ---------------------------------------------------------------------------- who wrote it


def test_authors_by_slug_name_and_alias(folder: Folder) -> None:
    """Front matter may call an author by slug, name or alias, several in order."""
    folder.write("authors/jo.md", "---\nname: Jo Lim\naliases: [J. Lim]\n---\n")
    for written in ("[jo, mina]", "[Jo Lim, MINA PEETERS]", "[J. Lim, mina]"):
        folder.write("reviews/rain.md", md(f"authors: {written}"))
        assert folder.review().authors == ("jo", "mina")


def test_both_author_and_authors(folder: Folder) -> None:
    """One of the two fields is enough."""
    folder.write("reviews/rain.md", md("author: mina\nauthors: [mina]"))
    assert "Both `author` and `authors`" in folder.problems()[0]


def test_two_authors_of_one_name(folder: Folder) -> None:
    """A name that two authors share has to be told apart by slug."""
    folder.write("authors/mina-2.md", AUTHOR)
    folder.write("reviews/rain.md", md("author: Mina Peeters"))
    folder.write("reviews/plain.txt", PLAIN)
    assert folder.problems() == [
        (
            "reviews/plain.txt:9:1: Several authors are called Mina Peeters."
            " Write author: mina or mina-2 in front matter at the top."
        ),
        "reviews/rain.md:3:9: Several authors are called `Mina Peeters`. Write mina or mina-2.",
    ]


def test_the_only_author_is_the_default(folder: Folder) -> None:
    """Without `author` the only author wrote it; with two, the site's default; else nobody."""
    folder.write("reviews/rain.md", md())
    assert (folder.review().authors, folder.review().byline_implied) == (("mina",), True)
    folder.write("authors/jo.md", "---\nname: Jo Lim\n---\n")
    assert folder.review().authors == ()
    folder.write("site.yaml", "default_author: jo\n")
    assert folder.review().authors == ("jo",)


def test_implied_authors_are_no_default(folder: Folder) -> None:
    """Ruling 14: authors that exist only through plain texts never count as the only one."""
    folder.write("reviews/plain.txt", PLAIN.replace("Mina Peeters", "Somebody Else"))
    folder.write("reviews/rain.md", md())
    assert folder.review().authors == ("mina",)


def test_unknown_default_author(folder: Folder) -> None:
    """A default author who does not exist breaks site.yaml, not the reviews."""
    folder.write("site.yaml", "default_author: mna\n")
    folder.write("reviews/rain.md", REVIEW)
    library = folder.load()
    assert (library.site, list(library.reviews), library.broken) == (None, ["reviews/rain.md"], {"site.yaml"})
    assert str(library.problems[0]).startswith("site.yaml:1:17: The author `mna` is unknown. Did you mean")


def test_new_name_makes_a_new_author_and_says_so(folder: Folder) -> None:
    """An unknown name under a plain text publishes, with a warning about the public account."""
    folder.write("reviews/rain.txt", signed("Noor El Amrani"))
    library = folder.load()
    author = library.authors["noor-el-amrani"]
    assert (author.name, author.implied, author.path) == ("Noor El Amrani", True, "")
    assert author.bio == "Reads about quiet series, mostly at night."
    assert library.reviews["reviews/rain.txt"].authors == ("noor-el-amrani",)


def test_text_of_the_warning_about_a_new_author(folder: Folder) -> None:
    """The warning names account and file."""
    folder.write("reviews/rain.txt", signed("Noor El Amrani"))
    assert folder.problems() == [
        (
            "reviews/rain.txt:9:1: Noor El Amrani is new here and gets a public account of their own"
            " (@noor_el_amrani). To choose name and account yourself, write authors/noor-el-amrani.md."
        )
    ]


def test_same_bio_is_the_same_person(folder: Folder) -> None:
    """Somebody with a known author's bio is that author under a wrong name, not a new account."""
    folder.write("reviews/rain.txt", PLAIN.replace("Mina Peeters", "Wilhelmina P"))
    library = folder.load()
    assert dict(library.reviews) == {}
    assert "looks like Mina Peeters" in str(library.problems[0])


@pytest.mark.parametrize(
    "name", ["Mina Peters", "Mina Peeteers", "Miina Peeters", "Peeters Mina", "Mína Peeters", "MINA PEETERS"]
)
def test_near_misses_never_make_an_account(folder: Folder, name: str) -> None:
    """A slip of the pen in a known name is an error with the fix; other capitals are no slip."""
    folder.write("reviews/rain.txt", signed(name))
    library = folder.load()
    assert list(library.authors) == ["mina"]
    if name.casefold() == "mina peeters":
        assert library.reviews["reviews/rain.txt"].authors == ("mina",)
    else:
        assert "Write Mina Peeters" in str(library.problems[0])


def test_two_new_names_that_are_nearly_one(folder: Folder) -> None:
    """Of two nearly equal new names the one with more texts is a new author, the other a problem."""
    for number in (1, 2):
        folder.write(f"reviews/b{number}.txt", signed("Noor El Amrani"))
    folder.write("reviews/a.txt", signed("Noor El Amranni"))
    library = folder.load()
    assert (sorted(library.authors), library.broken) == (["mina", "noor-el-amrani"], {"reviews/a.txt"})


def test_hangul_names(folder: Folder) -> None:
    """A name in Hangul keeps its script in the slug."""
    folder.write("reviews/rain.txt", signed("김민지"))
    assert folder.load().authors["김민지"].implied
    assert "(@author_...)" in folder.problems()[0]


def test_bio_that_differs(folder: Folder) -> None:
    """The author's file keeps the bio; another one below a text is a warning."""
    folder.write("reviews/rain.txt", PLAIN.replace("mostly at night", "mostly by day"))
    assert folder.problems() == [
        (
            "reviews/rain.txt:9:1: The bio differs from the one in authors/mina.md, which is the one that is"
            " shown. Change it there if this one is better."
        )
    ]


def test_new_author_with_two_bios(folder: Folder) -> None:
    """Of two bios of a new author the first text's is shown, and the other text gets a warning."""
    text = PLAIN.replace("Mina Peeters", "Noor El Amrani")
    folder.write("reviews/a.txt", text.replace("Writes", "Reads"))
    folder.write("reviews/b.txt", text.replace("Writes", "Watches"))
    library = folder.load()
    assert library.authors["noor-el-amrani"].bio.startswith("Reads")
    assert "The bio differs from the one in reviews/a.txt" in str(library.problems[-1])


def test_a_new_authors_slug_is_known_to_front_matter(folder: Folder) -> None:
    """Other reviews may name an author whom a plain text introduced."""
    folder.write("reviews/a.txt", signed("Noor El Amrani"))
    folder.write("reviews/rain.md", md("author: noor-el-amrani"))
    assert folder.review().authors == ("noor-el-amrani",)


def test_a_later_file_adopts_the_name(folder: Folder) -> None:
    """Once authors/ has the name, the plain text's author is that file's."""
    folder.write("reviews/a.txt", PLAIN.replace("Mina Peeters", "Noor El Amrani"))
    folder.load()
    folder.write("authors/noor.md", "---\nname: Noor El Amrani\n---\nReads.\n")
    library = folder.load()
    assert (library.reviews["reviews/a.txt"].authors, sorted(library.authors)) == (
        ("noor",),
        ["mina", "noor"],
    )


def test_a_broken_authors_file_keeps_its_author(folder: Folder) -> None:
    """Reviews by an author whose file broke stay, by slug, by name and below plain texts."""
    folder.write("reviews/rain.md", md("author: Mina Peeters"))
    folder.write("reviews/plain.txt", PLAIN)
    folder.load()
    folder.write("authors/mina.md", "---\nname: Mina: Peeters\n---\n")
    library = folder.load()
    assert {r.authors for r in library.reviews.values()} == {("mina",)}
    assert (dict(library.authors), library.broken) == ({}, {"authors/mina.md"})


def test_a_broken_authors_file_makes_no_new_author(folder: Folder) -> None:
    """While nobody can tell who is known, an unknown name waits; the slug is known all the same."""
    folder.write("authors/mina.md", "---\nname: Mina: Peeters\n---\n")
    folder.write("reviews/plain.txt", PLAIN)
    folder.write("reviews/rain.md", md("author: mina"))
    library = folder.load()
    assert list(library.reviews) == ["reviews/rain.md"]
    assert str(library.problems[1]) == (
        "reviews/plain.txt:9:1: Whether Mina Peeters is a known author cannot be told."
        " First repair authors/mina.md."
    )


def test_authors_with_one_handle_or_address(folder: Folder) -> None:
    """Two authors cannot share a handle or an address, nor take the site's handle."""
    folder.write("authors/anna.md", "---\nname: Anna\nhandle: rainy\n---\n")
    folder.write("authors/jo.md", "---\nname: Jo\nhandle: Rainy\n---\n")
    folder.write("authors/kim.md", "---\nname: Kim\nhandle: blog\n---\n")
    folder.write("authors/anna-.md", "---\nname: Anna 2\n---\n")
    library = folder.load()
    assert (sorted(library.authors), len(library.broken)) == (["anna", "mina"], 3)
    assert [str(p) for p in library.problems] == [
        "authors/anna.md:1:1: authors/anna-.md has the same address `anna`. Rename one of the two files.",
        "authors/jo.md:3:9: The handle `rainy` belongs to authors/anna.md already. Choose another one.",
        "authors/kim.md:3:9: The handle `blog` belongs to the site already. Choose another one.",
    ]


def test_avatars(folder: Folder) -> None:
    """An avatar is a picture beside the author's file; a missing one is an error of that file only."""
    folder.write("authors/mina.md", AUTHOR.replace("---\nW", "avatar: {file: mina.png, alt: Mina}\n---\nW"))
    folder.write("reviews/rain.md", REVIEW)
    library = folder.load()
    assert (library.broken, list(library.reviews)) == ({"authors/mina.md"}, ["reviews/rain.md"])
    folder.write("authors/mina.png", picture_bytes(kind="PNG"))
    avatar = folder.load().authors["mina"].avatar
    assert avatar is not None
    assert avatar.picture is not None


# ---------------------------------------------------------------------------- dramas


def test_dramas_by_slug_title_and_alias(folder: Folder) -> None:
    """A review may call its drama by slug, title or alias."""
    folder.write("dramas/seoul-rain.yaml", "title: Rain Over Seoul\ntitle_native: 서울의 비\n")
    for written in ("seoul-rain", "Rain over Seoul", "서울의 비"):
        folder.write("reviews/rain.md", md(f"drama: {written}"))
        assert folder.review().drama == "seoul-rain"


def test_inline_dramas(folder: Folder) -> None:
    """Facts inside a review make a drama; facts of several reviews are put together."""
    folder.write("reviews/a.md", md("drama: {title: Night Bus, episodes: 8}"))
    folder.write("reviews/b.md", md("drama: {title: Night Bus, episodes: 9, platform: tvN}"))
    folder.write("reviews/c.md", md("drama: night-bus"))
    library = folder.load()
    assert {r.drama for r in library.reviews.values()} == {"night-bus"}
    drama = library.dramas["night-bus"]
    assert (drama.episodes, drama.platform, drama.implied, drama.path) == (8, "tvN", True, "")


def test_a_dramas_file_wins(folder: Folder) -> None:
    """Facts inside a review do not touch a drama that has a file, even a broken one."""
    folder.write("dramas/night-bus.yaml", "title: Night Bus\nepisodes: 12\n")
    folder.write("reviews/rain.md", md("drama: {title: Night Bus, episodes: 8}"))
    assert folder.load().dramas["night-bus"].episodes == 12
    folder.write("dramas/night-bus.yaml", "title: Night: Bus\n")
    library = folder.load()
    assert (library.reviews["reviews/rain.md"].drama, dict(library.dramas)) == ("night-bus", {})


def test_unknown_dramas(folder: Folder) -> None:
    """An unknown slug gets the nearest one, or the way to add it."""
    folder.write("dramas/night-bus.yaml", "title: Night Bus\n")
    folder.write("reviews/rain.md", md("drama: night-buss"))
    assert folder.problems()[0].endswith("Did you mean `night-bus`?")
    folder.write("reviews/rain.md", md("drama: signal"))
    assert folder.problems()[0].endswith("Add a file dramas/signal.yaml, or write drama: {title: ...}.")


# ---------------------------------------------------------------------------- pictures and links


def test_image_of_a_review(folder: Folder) -> None:
    """The image is found beside the review and carries all that was said about it."""
    folder.write("reviews/poster one.jpg", picture_bytes())
    folder.write(
        "reviews/rain.md",
        md("image: {file: poster one.jpg, alt: Two people, credit: tvN, credit_url: https://tvn.example/}"),
    )
    image = folder.review().image
    assert (image.alt, image.credit, image.credit_url) == ("Two people", "tvN", "https://tvn.example/")
    assert (folder.media / image.picture.name).is_file()
    assert folder.problems() == []


def test_missing_description_is_a_warning(folder: Folder) -> None:
    """A picture without alt text publishes, with a warning."""
    folder.write("reviews/poster.jpg", picture_bytes())
    folder.write("reviews/rain.md", md("image: poster.jpg", "![](poster.jpg)"))
    assert [p.split(": ", 1)[1] for p in folder.problems()] == [
        'The image has no description for people who cannot see it. Add alt: "what the picture shows" to it.',
        (
            "The picture poster.jpg has no description for people who cannot see it."
            " Write ![what the picture shows](its name), or ![[its name|what it shows]]."
        ),
    ]


def test_unreadable_image_is_an_error(folder: Folder) -> None:
    """A lead picture that cannot be read keeps the review back, by name."""
    folder.write("reviews/poster.jpg", b"no picture")
    folder.write("reviews/rain.md", md("image: {file: poster.jpg, alt: x}"))
    assert folder.problems()[0].startswith("reviews/rain.md:3:15: reviews/poster.jpg: The file is no picture")
    assert folder.load().broken == {"reviews/rain.md"}


def test_unreadable_picture_beside_a_text_is_a_warning(folder: Folder) -> None:
    """A picture that nobody asked for does not keep a text back."""
    folder.write("reviews/rain.jpg", b"no picture")
    folder.write("reviews/rain.txt", PLAIN)
    assert folder.review("reviews/rain.txt").image.picture is None
    assert folder.problems()[0].startswith("reviews/rain.jpg:1:1: The file is no picture")


@pytest.mark.parametrize(
    "embed",
    ["![x](poster.jpg)", "![[poster.jpg|x]]", "![x](./poster.jpg)", "![x](../reviews/poster.jpg)",
     "![x](POSTER.jpg)",
     "![[deep.jpg|x]]", "![x](attachments/deep.jpg)", "![x](<my poster.jpg>)", "![x](my poster.jpg)",
     "![x](my%20poster.jpg)", "[x](poster.jpg)"],
)  # fmt: skip
def test_embedded_pictures(folder: Folder, embed: str) -> None:
    """Embedded pictures are found as people and Obsidian write them."""
    folder.write("reviews/poster.jpg", picture_bytes())
    folder.write("reviews/my poster.jpg", picture_bytes())
    folder.write("attachments/deep.jpg", picture_bytes())
    folder.write("reviews/rain.md", md("", f"Text.\n\n{embed}"))
    assert len(folder.review().pictures) == 1
    assert folder.problems() == []


@pytest.mark.parametrize(
    "link",
    ["[x](other.md)", "[x](other)", "[x](../reviews/other.md#cast)", "[[other]]", "[[Other|x]]",
     "[[Other Title]]",
     "[x](folder/index.md)", "[x](folder/)", "[[folder]]", "[x](plain.txt)", "[x](<my other.md>)",
      "[[my other]]",
     "[[reviews/other]]"],
)  # fmt: skip
def test_links_between_reviews(folder: Folder, link: str) -> None:
    """Links to other reviews are found by path, name, folder, slug and title."""
    folder.write("reviews/other.md", "---\ntitle: Other Title\n---\nText.\n")
    folder.write("reviews/my other.md", md())
    folder.write("reviews/folder/index.md", md())
    folder.write("reviews/plain.txt", PLAIN)
    folder.write("reviews/rain.md", md("", f"See {link}."))
    ((written, path),) = folder.review().links
    assert path in folder.load().reviews
    assert written in link
    assert folder.problems() == []


def test_unresolved_targets_are_warnings(folder: Folder) -> None:
    """A target that is not there is named with its place and the nearest match."""
    folder.write("reviews/poster.jpg", picture_bytes())
    folder.write("reviews/other.md", md())
    folder.write(
        "reviews/rain.md", md("", "One.\n\nSee [x](othr.md) and\n![x](postr.jpg), [y](www.x.example).")
    )
    assert folder.review().links == ()
    assert [p.removeprefix("reviews/rain.md:") for p in folder.problems()] == [
        "7:9: There is no review `othr.md` to link to. Did you mean other?",
        "8:6: There is no picture `postr.jpg`. Did you mean poster.jpg?",
        "8:22: `www.x.example` is no file here. Write https://www.x.example",
    ]


def test_links_to_other_files_are_warnings(folder: Folder) -> None:
    """Pages and authors are linked by address."""
    folder.write("pages/about.md", md("", "See [x](../reviews/rain.md) and ![[rain.jpg|y]]."))
    folder.write("reviews/rain.jpg", picture_bytes())
    folder.write("reviews/rain.md", md("image: {alt: z}", "See [x](../pages/about.md)."))
    assert [p.split(": ", 1)[1] for p in folder.problems() if "alt" not in p] == [
        (
            "`../reviews/rain.md` is a file, and a page links to addresses only."
            " Link to its address, for example /reviews/my-review/."
        ),
        "`../pages/about.md` is no review. Link to its address, for example /about/.",
    ]
    assert len(folder.load().pages["about"].pictures) == 1


def test_html_in_a_body_is_a_warning(folder: Folder) -> None:
    """HTML is shown as text, which its writer should know."""
    folder.write("reviews/rain.md", md("", "One.\n\nTwo <br> three."))
    assert folder.problems() == [
        (
            "reviews/rain.md:7:5: HTML such as `<br>` is shown as it stands."
            " Use Markdown instead, or leave it out."
        )
    ]


# ---------------------------------------------------------------------------- site.yaml


def test_broken_site_keeps_the_last_known_one(folder: Folder) -> None:
    """While site.yaml is broken, dates are read in the zone last known."""
    folder.write("site.yaml", "timezone: Asia/Seoul\n")
    folder.write("reviews/rain.md", md("published: 2022-11-04 18:00"))
    nine = datetime(2022, 11, 4, 9, tzinfo=UTC)
    assert folder.review().published == nine
    folder.write("site.yaml", "timezone: Asia: Seoul\n")
    library = folder.load()
    assert (library.site, library.reviews["reviews/rain.md"].published) == (None, nine)
    fresh = load(folder.root, folder.media, fallback_site=replace(Site(), timezone="Asia/Seoul"))
    assert fresh.reviews["reviews/rain.md"].published == nine


def test_new_zone_reads_dates_anew(folder: Folder) -> None:
    """A change of the site's zone reaches every review, although their files did not change."""
    folder.write("reviews/rain.md", md("published: 2022-11-04 18:00"))
    assert folder.review().published.hour == 18
    folder.write("site.yaml", "timezone: Asia/Seoul\n")
    assert folder.review().published.hour == 9


def test_two_site_files(folder: Folder) -> None:
    """site.yaml and site.yml together are one too many."""
    folder.write("site.yaml", "title: A\n")
    folder.write("site.yml", "title: B\n")
    library = folder.load()
    assert library.site is not None
    assert (library.site.title, library.broken) == ("A", {"site.yml"})


def test_site_pictures(folder: Folder) -> None:
    """Avatar and header of the site are pictures of the folder."""
    folder.write("site.yaml", "avatar: {file: logo.png, alt: Logo}\n")
    assert folder.load().site is None
    folder.write("logo.png", picture_bytes(kind="PNG"))
    site = folder.load().site
    assert site is not None
    assert site.avatar is not None
    assert site.avatar.picture is not None


# ---------------------------------------------------------------------------- what a second look costs


def test_only_changed_files_are_read_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second load opens nothing; after one change it opens one file."""
    for number in range(20):
        folder.write(f"reviews/rain-{number}.md", REVIEW)
    first = folder.load()
    read: list[str] = []
    real = drafts.read_review

    def counted(data: bytes, path: str, defaults: object) -> object:
        read.append(path)
        return real(data, path, defaults)  # type: ignore[arg-type]

    monkeypatch.setattr(drafts, "read_review", counted)
    second = folder.load()
    assert (list(map(id, second.cards.values())), read) == (list(map(id, first.cards.values())), [])
    folder.write("reviews/rain-7.md", REVIEW.replace("Seoul", "Busan"))
    assert folder.load().reviews["reviews/rain-7.md"].title == "Rain Over Busan"
    assert read == ["reviews/rain-7.md"]
    assert folder.load().reviews["reviews/rain-8.md"].body.startswith("A quiet series")
    assert read == ["reviews/rain-7.md", "reviews/rain-8.md"]  # words are read when somebody asks


def next_process(folder: Folder) -> list[str]:
    """A reader that takes up what the last one found out; the paths that it opens."""
    maker, rows = folder.reader.maker, folder.reader.unsaved()
    folder.reader = LibraryReader(folder.root, folder.media, settle_seconds=0)
    folder.reader.recall(maker, [(path, text) for path, text in rows.items() if text is not None])
    opened: list[str] = []
    real = folder.reader._reviews._parsed

    def parsed(data: bytes, path: str, stat: Stat) -> Record:
        opened.append(path)
        return real(data, path, stat)

    folder.reader._reviews._parsed = parsed  # type: ignore[method-assign]
    return opened


def test_the_next_process_reads_nothing_again(folder: Folder) -> None:
    """What one process found out about the reviews, the next one takes up: problems, pictures, signatures."""
    folder.write("site.yaml", "title: Rain\ntimezone: Asia/Seoul\n")
    folder.write("reviews/rain.jpg", picture_bytes())
    folder.write("reviews/rain.md", md("drama: {title: Night Bus}\ntags: [a]", "[x](gone.md) [[other]]"))
    folder.write("reviews/other.md", REVIEW)
    folder.write("reviews/plain.txt", signed("Noor El Amrani"))
    folder.write("reviews/bad.md", "no front matter")
    first = folder.load()
    opened = next_process(folder)
    second = folder.load()
    assert opened == []
    assert (second.cards, second.problems, second.broken) == (first.cards, first.problems, first.broken)
    assert (second.authors, second.dramas) == (first.authors, first.dramas)
    assert dict(second.reviews) == dict(first.reviews)
    assert folder.reader.unsaved() == {}


def test_another_release_reads_everything_anew(folder: Folder) -> None:
    """Records of a release that reads files in another way are not even looked at, whatever their shape."""
    folder.write("reviews/rain.md", REVIEW)
    cards = dict(folder.load().cards)
    folder.reader = LibraryReader(folder.root, folder.media, settle_seconds=0)
    folder.reader.recall("0 0", [("reviews/rain.md", '{"stat":[1]}'), ("reviews/gone.md", "?")])
    assert folder.load().cards == cards
    assert folder.reader.unsaved()["reviews/gone.md"] is None


def test_a_twin_that_changed_is_read_when_it_is_alone(folder: Folder) -> None:
    """A file that waits because another has its name in other letters is not taken for known."""
    folder.write("reviews/rain.md", REVIEW)
    folder.load()
    other = folder.write("reviews/Rain.md", md())
    assert folder.load().broken == {"reviews/rain.md"}
    folder.write("reviews/rain.md", md("", "Later."))
    folder.load()
    other.unlink()
    assert folder.review().body == "Later."


def test_what_changed_between_two_processes(folder: Folder) -> None:
    """Files that came, changed or went while nobody looked count, for those that refer to them too."""
    folder.write("reviews/linking.md", md("", "[x](other.md)"))
    folder.write("reviews/lone.md", REVIEW)
    folder.write("reviews/gone.md", REVIEW)
    folder.write("reviews/waiting.md", md("drama: signal"))
    assert len(folder.problems()) == 2
    folder.write("reviews/other.md", REVIEW)
    folder.write("dramas/signal.yaml", "title: Signal\n")
    (folder.root / "reviews" / "gone.md").unlink()
    opened = next_process(folder)
    library = folder.load()
    assert (opened, library.problems) == (["reviews/other.md"], ())
    assert sorted(library.cards) == [f"reviews/{name}.md" for name in ("linking", "lone", "other", "waiting")]
    assert folder.reader.unsaved()["reviews/gone.md"] is None


def test_lost_pictures_are_made_again_by_the_next_process(folder: Folder) -> None:
    """Derived pictures that are gone from the disk come back, although no file changed."""
    folder.write("reviews/rain.jpg", picture_bytes())
    folder.write("reviews/rain.md", md())
    made = folder.media / folder.review().image.picture.name
    shutil.rmtree(folder.media)
    next_process(folder)
    folder.load()
    assert made.is_file()


def test_another_time_zone_makes_records_useless(folder: Folder) -> None:
    """What a file means depends on site.yaml: with another zone, everything is read anew."""
    folder.write("reviews/rain.md", md("published: 2024-01-05 10:00"))
    before = folder.load().cards["reviews/rain.md"].published
    folder.write("site.yaml", "timezone: Asia/Seoul\n")
    opened = next_process(folder)
    after = folder.load().cards["reviews/rain.md"].published
    assert (opened, before - after) == (["reviews/rain.md"], timedelta(hours=9))


def test_words_that_changed_since_the_look_are_not_believed(folder: Folder) -> None:
    """A file that is being written anew while it is published is left for the next look."""
    file = folder.write("reviews/rain.md", REVIEW)
    folder.load()
    library = folder.load()
    file.write_text(REVIEW.replace("quiet", "loud"), encoding="utf-8")
    with pytest.raises(UnsettledError):
        library.reviews["reviews/rain.md"]


def test_a_review_beside_its_index_and_by_its_title(folder: Folder) -> None:
    """A link by title finds a review that comes later, and loses it when the title changes."""
    folder.write("reviews/linking.md", md("", "[[Night Bus: a ride]]"))
    folder.load()
    folder.write("reviews/bus/index.md", REVIEW.replace("Rain Over Seoul", "Night Bus: a ride"))
    assert folder.review("reviews/linking.md").links != ()
    folder.write("reviews/bus/index.md", REVIEW)
    assert folder.review("reviews/linking.md").links == ()


def test_a_broken_picture_is_replaced(folder: Folder) -> None:
    """A picture that could not be read is tried again when its file changes."""
    folder.write("reviews/poster.jpg", b"no picture")
    folder.write("reviews/rain.md", md("image: {file: poster.jpg, alt: x}"))
    assert folder.load().broken == {"reviews/rain.md"}
    folder.write("reviews/poster.jpg", picture_bytes())
    assert folder.load().broken == frozenset()


def test_problems_are_repeated_until_they_are_solved(folder: Folder) -> None:
    """A kept result keeps its problems."""
    folder.write("reviews/bad.md", "---\ntitle: a: b\n---\n")
    folder.write("reviews/rain.md", md("", "[x](gone.md)"))
    assert folder.problems() == folder.problems() != []


@pytest.mark.parametrize(
    "path, content",
    [("authors/jo.md", "---\nname: Jo\n---\n"), ("dramas/signal.yaml", "title: Signal\n"),
     ("reviews/other.md", REVIEW), ("reviews/poster.jpg", picture_bytes())],
)  # fmt: skip
def test_other_files_mend_a_review(folder: Folder, path: str, content: str | bytes) -> None:
    """What a review waits for makes it whole when it arrives, although the review did not change."""
    folder.write(
        "reviews/rain.md",
        md("authors: [mina, jo]\ndrama: signal\nimage: {file: poster.jpg, alt: x}", "[x](other.md)"),
    )
    files = {"authors/jo.md": "---\nname: Jo\n---\n", "dramas/signal.yaml": "title: Signal\n",
             "reviews/other.md": REVIEW, "reviews/poster.jpg": picture_bytes()}  # fmt: skip
    for other in files.keys() - {path}:
        folder.write(other, files[other])
    assert folder.problems() != []
    folder.write(path, content)
    assert folder.problems() == []


def test_a_new_picture_under_an_old_name(folder: Folder) -> None:
    """Replacing a picture changes the review that shows it."""
    folder.write("reviews/rain.jpg", picture_bytes(colour="red"))
    folder.write("reviews/rain.md", md())
    before = folder.review().image.picture.name
    folder.write("reviews/rain.jpg", picture_bytes(colour="blue"))
    assert folder.review().image.picture.name != before


def test_deleted_files_are_forgotten(folder: Folder) -> None:
    """A file that is gone leaves no trace, and no twin that it kept away."""
    folder.write("reviews/rain.md", REVIEW)
    other = folder.write("reviews/other.md", md("", "[x](rain.md)"))
    folder.load()
    (folder.root / "reviews" / "rain.md").unlink()
    library = folder.load()
    assert (list(library.reviews), list(library.facts)) == (
        ["reviews/other.md"],
        ["authors/mina.md", "reviews/other.md"],
    )
    other.unlink()
    assert dict(folder.load().reviews) == {}


# ---------------------------------------------------------------------------- files in the making


def test_new_file_in_the_making_is_not_there_yet(new_folder: Callable[..., Folder]) -> None:
    """A new file is not seen before it was left alone for two seconds."""
    folder = new_folder(settle_seconds=2)
    folder.load()
    folder.write("reviews/rain.md", md(), age=1)
    library = folder.load()
    assert (dict(library.reviews), library.broken, folder.reader.unsettled) == ({}, frozenset(), True)
    folder.now += timedelta(seconds=2)
    assert list(folder.load().reviews) == ["reviews/rain.md"]
    assert not folder.reader.unsettled


def test_file_in_the_making_at_start(new_folder: Callable[..., Folder]) -> None:
    """At the first look a young file may be an old one being saved: its last edition stays."""
    folder = new_folder(settle_seconds=2)
    folder.write("reviews/rain.md", md(), age=-1)  # the clock of a file server may be ahead
    assert folder.load().broken == {"reviews/rain.md"}


def test_file_of_the_future_is_read(new_folder: Callable[..., Folder]) -> None:
    """A time far ahead is a wrong clock, not a file in the making."""
    folder = new_folder(settle_seconds=2)
    folder.write("reviews/rain.md", md(), age=-3600)
    assert list(folder.load().reviews) == ["reviews/rain.md"]


def test_picture_in_the_making_holds_its_review_back(new_folder: Callable[..., Folder]) -> None:
    """A review waits for a picture that is still being copied, without a complaint."""
    folder = new_folder(settle_seconds=2)
    folder.write("reviews/rain.md", md("image: {file: poster.jpg, alt: x}"))
    folder.write("pages/about.md", md("", "![x](../reviews/poster.jpg)"))
    folder.write("site.yaml", "avatar: {file: reviews/poster.jpg, alt: x}\n")
    folder.write("reviews/poster.jpg", picture_bytes()[:100], age=1)
    library = folder.load()
    assert (library.problems, library.broken) == ((), {"reviews/rain.md", "pages/about.md", "site.yaml"})
    folder.write("reviews/poster.jpg", picture_bytes(), age=3)
    assert folder.load().broken == frozenset()


def test_dates_wait_for_the_site(new_folder: Callable[..., Folder]) -> None:
    """While site.yaml is being written for the first time, no date is read in a wrong zone."""
    folder = new_folder(settle_seconds=2)
    folder.write("site.yaml", "timezone: Asia/Seoul\n", age=1)
    folder.write("reviews/rain.md", md("published: 2022-11-04 18:00"))
    library = folder.load()
    assert (dict(library.reviews), library.site) == ({}, None)
    folder.now += timedelta(seconds=2)
    assert folder.review().published.hour == 9


def test_file_that_changes_while_it_is_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changed between the look and the reading is not believed."""
    file = folder.write("reviews/rain.md", REVIEW)
    real = os.open

    def grow(path: str, flags: int, *rest: object) -> int:
        if str(path) == str(file):
            file.write_text(REVIEW + "More.\n")
        return real(path, flags, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", grow)
    library = folder.load()
    assert (dict(library.reviews), library.broken, library.problems) == ({}, {"reviews/rain.md"}, ())
    assert folder.reader.unsettled
