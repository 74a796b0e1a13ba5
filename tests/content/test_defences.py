"""Attacks and faults that arrive as files (defences A64 to A73, A83, A84)."""

from __future__ import annotations

import io
import os
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from dramafeed.content import Surface, front_matter, render, slugify
from dramafeed.model import BodyFormat

from .conftest import AUTHOR, REVIEW, Folder, picture_bytes


def first_problem(folder: Folder, front: str) -> str:
    folder.write("reviews/rain.md", f"---\n{front}\n---\nText.\n")
    began = time.monotonic()
    problems = folder.problems()
    assert time.monotonic() - began < 2
    return problems[0]


def test_alias_bomb_is_refused(folder: Folder) -> None:
    """A64: an alias bomb is refused at its first anchor, and front matter has a size limit."""
    bomb = "a: &a [x, x]\n" + "\n".join(
        f"{c}: &{c} [*{p}, *{p}]" for p, c in zip("abcdef", "bcdefg", strict=True)
    )
    assert first_problem(folder, bomb).startswith("reviews/rain.md:2:4: A value that begins with `&`")
    assert "more than 16 KB" in first_problem(folder, "title: " + "x" * 17_000)


def test_self_reference_is_refused(folder: Folder) -> None:
    """A65: a value that contains itself never gets built."""
    assert first_problem(folder, "a: &a [*a]").startswith("reviews/rain.md:2:4:")
    assert first_problem(folder, "title: *title").startswith("reviews/rain.md:2:8:")


@pytest.mark.parametrize("deep", ["a: " + "[" * 5000, "- " * 5000, "a: " + "{a: " * 3000, "? " * 5000])
def test_deep_nesting_is_refused_fast(folder: Folder, deep: str) -> None:
    """A66: nesting is counted before anything is built: no recursion, no seconds."""
    problem = first_problem(folder, deep)
    assert "more than 8 deep" in problem or "field name is missing" in problem


def test_python_tags_are_refused(folder: Folder) -> None:
    """A67: a tag that would make a Python object is an error in friendly words."""
    problem = first_problem(folder, "title: !!python/object/apply:os.system ['true']")
    assert problem.startswith("reviews/rain.md:2:8: A value that begins with `!` has a special meaning")


@pytest.mark.parametrize(
    "front, field, value",
    [("title: yes", "title", "yes"), ("title: 1:30", "title", "1:30"), ("title: 010", "title", "010"),
     ("title: 2022-01-01", "title", "2022-01-01"), ("title: 1e3", "title", "1e3"),
     ("title: x\ntags: [no, 1.0, 0x10]", "tags", ("no", "1.0", "0x10")),
     ("title: x\nseason: 010", "season", 10), ("title: x\ndraft: No", "draft", False)],
)  # fmt: skip
def test_type_traps(folder: Folder, front: str, field: str, value: object) -> None:
    """A68: values are what was written, typed by the field they stand in."""
    folder.write("reviews/rain.md", f"---\n{front}\n---\nText.\n")
    assert getattr(folder.review(), field) == value


def test_swallowed_hashtags_and_repeated_keys(folder: Folder) -> None:
    """A68: `tags: #a, b` and a repeated key are errors instead of silent losses."""
    assert "would be lost" in first_problem(folder, "title: x\ntags: #a, b")
    assert "written twice" in first_problem(folder, "title: x\ntitle: y")


@pytest.mark.parametrize("front", ["title: Move to Heaven: review", "title: @x", "title: `x`"])
def test_scanner_errors_offer_the_quoted_line(folder: Folder, front: str) -> None:
    """A69: what YAML cannot scan is answered with the line in quotes."""
    value = front.removeprefix("title: ")
    assert first_problem(folder, front).endswith(f'Write: title: "{value}"')


def test_impossible_date(folder: Folder) -> None:
    """A69: an impossible date is a problem with its place, never an exception."""
    assert first_problem(folder, "title: x\npublished: 2026-13-45").startswith("reviews/rain.md:3:12:")


@pytest.mark.parametrize(
    "wish", ["../etc/passwd", "/etc", "a/../b", "%2e%2e%2f", "a%2fb", "..", "a\\b", "a?b", "a.b", "x" * 300]
)
def test_slug_that_is_no_slug(folder: Folder, wish: str) -> None:
    """A70: a slug that could leave its place is refused."""
    assert "slug" in first_problem(folder, f'title: x\nslug: "{wish}"'.replace("\\", "\\\\"))


@pytest.mark.parametrize("name", ["con", "..rain", "rain%2f", "rain 2!", "레인", "a" * 240])
def test_slug_of_a_file_name_is_always_safe(folder: Folder, name: str) -> None:
    """A70: whatever a file is called, its slug has only letters, digits and hyphens."""
    slug = slugify(name)
    assert slug
    assert not set(slug) & set("./\\%?# \x00")
    assert len(slug.encode()) <= 200


def test_nul_in_a_slug_vanishes(folder: Folder) -> None:
    """A70: an escaped NUL does not reach a path."""
    folder.write("reviews/rain.md", '---\ntitle: x\nslug: "a\\0b"\n---\nText.\n')
    assert folder.review().slug == "ab"


def test_case_twins(folder: Folder) -> None:
    """A71: of two files whose names differ only in capitals, the second is refused by name."""
    folder.write("reviews/Rain.md", REVIEW)
    folder.write("reviews/rain.md", REVIEW)
    library = folder.load()
    assert list(library.reviews) == ["reviews/Rain.md"]
    assert [str(p) for p in library.problems] == [
        "reviews/rain.md:1:1: The name differs from reviews/Rain.md only in capitals. Rename one of the two."
    ]


def test_normalisation_twins(folder: Folder) -> None:
    """A71: two files whose names are one name in NFC are one review and one problem."""
    folder.write(unicodedata.normalize("NFC", "reviews/비.md"), REVIEW)
    folder.write(unicodedata.normalize("NFD", "reviews/비.md"), REVIEW)
    library = folder.load()
    assert list(library.reviews) == ["reviews/비.md"]
    assert library.broken == frozenset()
    assert "same name, written with other code points" in str(library.problems[0])


def test_decomposed_names_become_composed_paths(folder: Folder) -> None:
    """A71: a name as macOS writes it gives the same path and slug as anywhere else."""
    folder.write(unicodedata.normalize("NFD", "reviews/이상한 변호사.md"), REVIEW)
    assert folder.review("reviews/이상한 변호사.md").slug == "이상한-변호사"


def test_two_files_with_one_slug_are_both_there(folder: Folder) -> None:
    """A71: which of two reviews keeps a slug is decided by who was first public, not by the library."""
    folder.write("reviews/rain.md", REVIEW)
    folder.write("reviews/rain/index.md", REVIEW)
    assert {r.slug for r in folder.load().reviews.values()} == {"rain"}


@pytest.mark.parametrize("name", ["rain.md", "rain.jpg", "rain"])
def test_link_out_of_the_folder(folder: Folder, tmp_path: Path, name: str) -> None:
    """A72: a link that leads out of the content folder is refused and never read."""
    secret = tmp_path / "secret"
    secret.mkdir() if name == "rain" else secret.write_text(REVIEW)
    (folder.root / "reviews").mkdir()
    (folder.root / "reviews" / name).symlink_to(secret)
    library = folder.load()
    assert library.reviews == {}
    assert "leads out of the content folder" in str(library.problems[0])


def test_link_inside_the_folder_is_followed(folder: Folder) -> None:
    """A72: a link to a file of the folder is that file."""
    file = folder.write("drafts-of-mina/rain.md", REVIEW)
    (folder.root / "reviews").mkdir()
    (folder.root / "reviews" / "rain.md").symlink_to(file)
    assert folder.review().title == "Rain Over Seoul"


def test_links_in_circles_and_into_nothing(folder: Folder) -> None:
    """A72: broken and circular links are problems, not crashes."""
    reviews = folder.root / "reviews"
    reviews.mkdir()
    (reviews / "a.md").symlink_to(reviews / "b.md")
    (reviews / "b.md").symlink_to(reviews / "a.md")
    (reviews / "c.md").symlink_to(reviews / "gone.md")
    (reviews / "loop").symlink_to(reviews)
    assert [p.split(": ")[1] for p in folder.problems()] == [
        "This link leads nowhere. Put the file itself here."] * 3 + [
        "Links to folders are not followed. Put the folder itself here."]  # fmt: skip


def test_odd_files_are_not_opened(folder: Folder) -> None:
    """A72: a pipe that would block its reader for ever is refused by name."""
    (folder.root / "reviews").mkdir()
    os.mkfifo(folder.root / "reviews" / "rain.md")
    assert folder.problems() == ["reviews/rain.md:1:1: This is no ordinary file. Delete it."]


def test_picture_outside_the_folder(folder: Folder, tmp_path: Path) -> None:
    """A72: `image: ../../x.jpg` does not reach files outside the folder."""
    (tmp_path / "x.jpg").write_bytes(picture_bytes())
    assert "There is no picture" in first_problem(folder, "title: x\nimage: ../../x.jpg")
    assert "There is no picture" in first_problem(folder, f"title: x\nimage: {tmp_path}/x.jpg")


XSS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\nscript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)", "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)", "<javascript:alert(1)>", "[x](vbscript:x)",
    "[x]: javascript:alert(1)\n\n[x]", "[[javascript:alert(1)]]", "![[javascript:alert(1).png]]",
    "[x](&#106;avascript:alert(1))", "[x](&#x6A;avascript&colon;alert(1))", "[x](\x01javascript:alert(1))",
    '[x](https://e.example "onmouseover=alert(1)")', '[x](https://e.example/"onmouseover=alert(1))',
    "<a href='javascript:alert(1)'>x</a>", "<iframe src=https://e.example></iframe>", "<style>*{}</style>",
    ":::spoiler <script>alert(1)</script>\nx\n:::", "# <script>alert(1)</script>",
    "| <script>alert(1)</script> | b |\n|---|---|\n| x | y |", "x[^1]\n\n[^1]: <script>alert(1)</script>",
    "```<script>\nalert(1)\n```", "`<script>alert(1)</script>`", "https://e.example/<script>alert(1)</script>",
    "<!--<script>-->", "<details open ontoggle=alert(1)>", "</p></div><form action=//e.example>",
    "![\"onerror=alert(1) x=\"](p.jpg)", "[x](//e.example)", "[x](\\\\e.example)", "[x](file:///etc/passwd)",
]  # fmt: skip


@pytest.mark.parametrize("surface", [Surface.PAGE, Surface.FEED, Surface.FEDIVERSE])
@pytest.mark.parametrize("body_format", list(BodyFormat))
@pytest.mark.parametrize("attack", XSS)
def test_markup_of_writers_is_harmless(attack: str, body_format: BodyFormat, surface: Surface) -> None:
    """A73: no script, handler or odd scheme survives in any form of any surface."""
    from .html_check import check_safe

    check_safe(render(attack, body_format, surface, page_url="https://blog.example/"))


# ---------------------------------------------------------------------------- pictures


def test_svg_is_refused(folder: Folder) -> None:
    """A74: a drawing that can hold programs never becomes a picture."""
    folder.write("reviews/rain.svg", "<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
    assert "SVG drawings are not accepted" in first_problem(folder, "title: x\nimage: rain.svg")


def test_pixel_bomb(folder: Folder) -> None:
    """A75: a small file with a huge picture in it is refused before it is decoded."""
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    folder.write("reviews/bomb.png", buffer.getvalue())
    assert "more than 60 million pixels" in first_problem(folder, "title: x\nimage: bomb.png")


# ---------------------------------------------------------------------------- half and odd files


def test_half_written_file_does_not_replace_a_good_one(new_folder: Callable[..., Folder]) -> None:
    """A83: a file that changed a moment ago keeps its last good edition until it is left alone."""
    folder = new_folder(settle_seconds=2)
    folder.write("authors/mina.md", AUTHOR)
    folder.write("reviews/rain.md", REVIEW)
    assert folder.load().broken == frozenset()
    folder.write("reviews/rain.md", REVIEW[:30], age=0.5)
    library = folder.load()
    assert (dict(library.reviews), library.broken, library.problems) == ({}, {"reviews/rain.md"}, ())
    assert folder.reader.unsettled


@pytest.mark.parametrize(
    "content, message",
    [(b"", "is empty"), (b" \r\n", "is empty"), (b"---\ntitle: a\x00b\n---\nx", "NUL bytes"),
     ("---\ntitle: a\n---\nx".encode("utf-16-le"), "NUL bytes")],
)  # fmt: skip
def test_odd_bytes(folder: Folder, content: bytes, message: str) -> None:
    """A83: empty files and NUL bytes get a plain answer."""
    folder.write("reviews/rain.md", content)
    assert message in folder.problems()[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(folder: Folder, encoding: str, end: str) -> None:
    """A83: byte order marks, UTF-16 and foreign line ends change nothing."""
    folder.write("reviews/rain.md", REVIEW.replace("\n", end).encode(encoding))
    review = folder.review()
    assert (review.title, review.body) == ("Rain Over Seoul", "A quiet series. It takes its time.")


def test_only_content_becomes_content(folder: Folder) -> None:
    """A84: version control, keys, settings and notes of editors are no content."""
    for path in (".git/config.md", ".env", "reviews/.rain.md", "reviews/.git/rain/index.md", "key.pem",
                 ".dramafeed/identity.jsonl", "reviews/rain/notes.html", "reviews/rain.py"):  # fmt: skip
        folder.write(path, REVIEW)
    library = folder.load()
    assert (dict(library.reviews), dict(library.pages), library.broken) == ({}, {}, frozenset())


def test_front_matter_is_read_without_recursion() -> None:
    """A66: the parser is driven by events, so depth costs no stack."""
    with pytest.raises(front_matter.BadFileError):
        front_matter.parse("a: " + "[" * 60_000, "x.yaml")
