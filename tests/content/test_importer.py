"""Foreign texts become content files, and every line is accounted for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dramafeed.content import Surface, import_text, render
from dramafeed.content.importer import escape
from dramafeed.content.names import clean
from dramafeed.model import BodyFormat, Image, Library

from .conftest import PLAIN, Folder

TEXT = """Photo credits: tvN

[Recap] Night Bus: the “last” stop

‘Night Bus‘ came out in January of 2022 on tvN and has 8 episodes. It was based on the
webtoon written by Kim Hana and directed by Lee Du and Park Set.

Sora (played by Han Da) drives * every * night. There’s another season coming in 2023!

Noor El Amrani
Reads a lot.
"""


def test_import(folder: Folder) -> None:
    """A text becomes a Markdown review and, for a new author, an author's file; both are valid."""
    result = import_text(TEXT, folder.load(), datetime(2022, 3, 1, 9, 30, tzinfo=UTC))
    assert [path for path, _ in result.files] == [
        "reviews/night-bus-the-last-stop.md",
        "authors/noor-el-amrani.md",
    ]
    for path, text in result.files:
        folder.write(path, text)
    review = folder.review("reviews/night-bus-the-last-stop.md")
    assert (review.title, review.kind, review.authors) == (
        "Night Bus: the “last” stop", "recap", ("noor-el-amrani",),
    )  # fmt: skip
    assert review.published == datetime(2022, 3, 1, 9, 30, tzinfo=UTC)
    assert (review.image, review.imported_from[:7]) == (Image(credit="tvN"), "sha256:")
    assert folder.load().authors["noor-el-amrani"].bio == "Reads a lot."
    assert folder.problems() == []


def test_report_accounts_for_every_line(folder: Folder) -> None:
    """The report says what became of each part, and the sum is right."""
    assert import_text(TEXT, folder.load()).report == (
        "text: becomes reviews/night-bus-the-last-stop.md",
        "line 1: photo credit tvN",
        "line 3: recap with the title Night Bus: the “last” stop",
        "paragraphs: 2",
        "lines 10-11: author and bio",
        "11 lines in all: 7 used, 4 blank",
        "author: Noor El Amrani is new: authors/noor-el-amrani.md makes a public account",
        "bio: goes to authors/noor-el-amrani.md",
    )


def test_facts_in_prose_are_only_suggested(folder: Folder) -> None:
    """What looks like a fact about the drama is shown with its line, and not applied."""
    result = import_text(TEXT, folder.load())
    assert set(result.suggestions) == {
        "released: 2022-01 (line 5)", "episodes: 8 (line 5)", "platform: tvN (line 5)",
        "based_on: webtoon written by Kim Hana (line 5)", "directors: Lee Du and Park Set (line 5)",
        "cast: {actor: Han Da, role: Sora} (line 8)", "status: another season coming in 2023 (line 8)",
    }  # fmt: skip
    assert "episodes" not in result.files[0][1].split("---")[1]


def test_known_authors_are_recognised(folder: Folder) -> None:
    """A known author gets no second file; a bio that differs is reported, not lost."""
    result = import_text(PLAIN, folder.load())
    assert [path for path, _ in result.files] == ["reviews/rain-over-seoul.md"]
    assert "author: mina" in result.files[0][1]
    assert result.report[-2:] == ("author: Mina Peeters is mina", "bio: as known")
    other = import_text(PLAIN.replace("at night", "by day"), folder.load())
    assert other.report[-1] == (
        "bio: differs from the known one and is left out: Writes about quiet series, mostly by day."
    )


def test_near_misses_are_refused(folder: Folder) -> None:
    """A name that is nearly known stops the import with the fix."""
    result = import_text(PLAIN.replace("Peeters", "Peters"), folder.load())
    assert result.files == ()
    assert str(result.problems[0]) == (
        "text:9:1: The author Mina Peters is not exactly a known one (mina). Write the name as it is known."
    )


def test_importing_twice_makes_no_second_review(folder: Folder) -> None:
    """A source that was imported before is recognised, whatever became of the file and its line ends."""
    path, text = import_text(PLAIN, folder.load()).files[0]
    folder.write("reviews/renamed.md", text.replace("neighbours", "friends"))
    again = import_text(PLAIN.replace("\n", "\r\n"), folder.load())
    assert (again.files, again.duplicate_of) == ((), "reviews/renamed.md")
    assert path != again.duplicate_of


def test_existing_reviews_are_not_overwritten(folder: Folder) -> None:
    """Another review of the same name stops the import."""
    folder.write("reviews/rain-over-seoul.md", "broken")
    result = import_text(PLAIN, folder.load())
    assert (result.files, result.problems[0].message) == ((), "reviews/rain-over-seoul.md exists already")


def test_front_matter_of_the_source_wins(folder: Folder) -> None:
    """What a source says in front matter is kept as it stands."""
    front = "---\ntitle: Other  # really\nrating: 8/10\nauthor: mina\n---\n"
    path, text = import_text(front + PLAIN, folder.load()).files[0]
    assert path == "reviews/rain-over-seoul.md"
    assert text.startswith("---\ntitle: Other  # really\nrating: 8/10\nauthor: mina\nkind: review\n")
    folder.write(path, text)
    assert folder.review(path).rating is not None


@pytest.mark.parametrize("source", ["", "no title\n\nText.", "[Poem] X\n\nText.", "[Review] !!!\n\nText."])
def test_what_cannot_be_imported(source: str) -> None:
    """A source without the layout is a problem, and nothing is written."""
    result = import_text(source, Library())
    assert result.files == ()
    assert result.problems


def test_import_from_a_file(folder: Folder) -> None:
    """A source may be a file in any readable encoding; a missing one is a problem."""
    path = folder.write("x.txt", PLAIN.encode("utf-16"))
    assert import_text(path, folder.load()).files
    assert "cannot be read" in import_text(path.with_name("gone.txt"), folder.load()).problems[0].message


def test_author_of_a_text_without_one(folder: Folder) -> None:
    """A text without an author block names nobody."""
    result = import_text("[Review] Rain\n\nText.\n", folder.load())
    assert "author" not in result.files[0][1]
    assert result.report[-1] == "author: none named"


@example(["|", ":-"])
@given(
    st.lists(
        st.text(alphabet="ab *_`[]<>|~#+-=:&;.)(!^\\1 ’한\u00a0/", min_size=1).filter(str.strip),
        min_size=1,
        max_size=4,
    )
)
def test_escaped_text_shows_what_was_typed(lines: list[str]) -> None:
    """Whatever signs a plain text has, as Markdown it shows the same text."""
    typed = [" ".join(clean(line).split()) for line in lines]
    markdown = "\\\n".join(escape(line) for line in typed)
    assert render(markdown, BodyFormat.MARKDOWN, Surface.PLAIN) == " ".join(typed)
