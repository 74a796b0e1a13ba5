"""The "[Review] Title" layout, as its writers leave it."""

from __future__ import annotations

import pytest

from dramafeed.content.plain_text import is_name
from dramafeed.model import BodyFormat, Image, Kind

from .conftest import PLAIN, Folder, picture_bytes


def plain(folder: Folder, text: str):  # type: ignore[no-untyped-def]
    folder.write("reviews/rain.txt", text)
    return folder.review("reviews/rain.txt")


def test_the_whole_layout(folder: Folder) -> None:
    """Credit, kind, title, paragraphs and author come out; curly and mismatched quotes stay."""
    review = plain(folder, PLAIN)
    assert (review.title, review.kind, review.slug) == ("Rain Over Seoul", Kind.REVIEW, "rain")
    assert (review.format, review.authors) == (BodyFormat.PLAIN, ("mina",))
    assert review.image == Image(credit="Some Channel")
    assert review.body == (
        "Today we’re looking at ‘Rain Over Seoul‘, which we’d been waiting for.\n\n"
        "It’s about two neighbours, and about the rain."
    )
    assert folder.problems() == []


@pytest.mark.parametrize(
    "line", ["Photo credit: tvN", "PHOTO CREDITS:tvN", "Photo credit(s): tvN", "Photo credits：tvN"]
)
def test_spellings_of_the_credit(folder: Folder, line: str) -> None:
    """The credit line is known in all its spellings, also right above the title."""
    assert plain(folder, f"{line}\n[Review] Rain\n\nText.\n").image == Image(credit="tvN")


@pytest.mark.parametrize("kind", list(Kind))
def test_kinds(folder: Folder, kind: Kind) -> None:
    """The word in brackets is the kind, in any case."""
    assert plain(folder, f"[ {kind.value.upper()} ]  Rain \n\nText.\n").kind is kind


def test_odd_white_space(folder: Folder) -> None:
    """No-break spaces, many blank lines and trailing blanks do not matter."""
    review = plain(folder, "\n\n[Review]\u00a0Rain\u00a0\n\u00a0\nOne.\u00a0\n\n \n\nTwo.\u00a0\n")
    assert (review.title, review.body) == ("Rain", "One.\n\nTwo.")


def test_lines_of_a_paragraph_stay_lines(folder: Folder) -> None:
    """A list typed line by line is not run together."""
    assert plain(folder, "[Review] Rain\n\nCast:\nHan Da\nJung Ra\n\nThe end.\n").body == (
        "Cast:\nHan Da\nJung Ra\n\nThe end."
    )


def test_front_matter_wins(folder: Folder) -> None:
    """Front matter above the layout overrules it field by field."""
    review = plain(
        folder, "---\ntitle: Other Rain\nkind: news\nimage: {credit: Mina}\nrating: 8/10\n---\n" + PLAIN
    )
    assert (review.title, review.kind) == ("Other Rain", Kind.NEWS)
    assert (review.image, review.body.startswith("Today")) == (Image(credit="Mina"), True)


def test_title_in_front_matter_alone(folder: Folder) -> None:
    """With a title in front matter the [Kind] line may be missing."""
    assert plain(folder, "---\ntitle: Rain\n---\nText.\n\nMore.\n").body == "Text.\n\nMore."


def test_author_in_front_matter(folder: Folder) -> None:
    """The block of the author whom front matter names is no text; another block is, with a warning."""
    review = plain(folder, "---\nauthor: mina\n---\n" + PLAIN)
    assert review.body.endswith("the rain.")
    review = plain(folder, "---\nauthor: mina\n---\n[Review] Rain\n\nText.\n\nFinal Words\nLovely.\n")
    assert review.body == "Text.\n\nFinal Words\nLovely."
    assert "names Final Words, who is no author in the front matter" in folder.problems()[0]


@pytest.mark.parametrize(
    "name", ["Ilse", "Mina Van Den Berg", "Anne-Marie O’Neil", "D'Arcy Jr", "김민지", "Zoë Çelik",
     "J. R. Kim",
             "Ilse van den Heede"]
)  # fmt: skip
def test_names(name: str) -> None:
    """Names of all sorts are names."""
    assert is_name(name)


@pytest.mark.parametrize(
    "line", ["mina peeters", "One Two Three Four Five Six Seven", "That was all.", "Rated 8", "See you!",
             "Cast:", "", "Mina & Jo", "https://x.example", "Bye 👋"]
)  # fmt: skip
def test_lines_that_are_no_names(line: str) -> None:
    """What has digits, signs, an end mark or no capital is no name."""
    assert not is_name(line)


def test_block_that_is_no_signature(folder: Folder) -> None:
    """A last block that does not look like an author is text; a doubtful one gets a warning."""
    folder.write("site.yaml", "default_author: mina\n")
    review = plain(folder, "[Review] Rain\n\nText.\n\nmina peeters\nWrites.\n")
    assert (review.body, review.authors, review.byline_implied) == (
        "Text.\n\nmina peeters\nWrites.", ("mina",), True,
    )  # fmt: skip
    assert folder.problems() == [
        (
            "reviews/rain.txt:5:1: `mina peeters` does not look like a name, so the last block is shown"
            " as text. If it is the author, write the name in letters, with capitals; else ignore this."
        )
    ]


def test_a_single_paragraph_is_text(folder: Folder) -> None:
    """The only paragraph is never taken for an author, whatever its first line looks like."""
    assert plain(folder, "[Review] Rain\n\nGreat Show\nI loved it\n").body == "Great Show\nI loved it"


def test_promised_trailer(folder: Folder) -> None:
    """A last paragraph that promises a trailer below needs an address somewhere."""
    text = "[Review] Rain\n\nText.\n\nWatch the trailer below.{}\n"
    folder.write("reviews/rain.txt", text.format(""))
    assert folder.problems() == [
        (
            "reviews/rain.txt:5:1: The text promises a trailer below, but there is none."
            " Paste its address on a line below, or write trailer: in front matter at the top."
        )
    ]
    folder.write("reviews/rain.txt", text.format("\nhttps://youtu.be/abcdefghijk"))
    assert folder.problems() == []
    folder.write("reviews/rain.txt", "---\ntrailer: abcdefghijk\n---\n" + text.format(""))
    assert folder.problems() == []


def test_picture_of_the_same_name(folder: Folder) -> None:
    """A picture beside the text is its image, keeps the credit, and asks for a description."""
    folder.write("reviews/rain.jpg", picture_bytes())
    review = plain(folder, PLAIN)
    assert review.image is not None
    assert (review.image.credit, review.image.picture.width) == ("Some Channel", 40)
    assert folder.problems() == [
        (
            "reviews/rain.txt:1:1: The picture rain.jpg has no description for people who cannot see it."
            ' Write image: {file: rain.jpg, alt: "what it shows"} in front matter at the top.'
        )
    ]


def test_spoilers_in_plain_text(folder: Folder) -> None:
    """The marks of a spoiler count in plain text too, and are checked with the file's line numbers."""
    plain(folder, "[Review] Rain\n\nText.\n\n:::spoiler\nShe leaves.\n:::\n")
    assert folder.problems() == []
    folder.write("reviews/rain.txt", "[Review] Rain\n\nText.\n\n::: spoiler\nShe leaves.\n\nThe end.\n")
    assert folder.problems()[0].startswith("reviews/rain.txt:5:1: This spoiler is never closed")
