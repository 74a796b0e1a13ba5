"""Whatever a file holds, the answer is a library with problems, never an exception."""

from __future__ import annotations

import string
import unicodedata
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dramafeed.content import Surface, drafts, render, slugify
from dramafeed.content.front_matter import BadFileError
from dramafeed.content.names import MAX_SLUG_BYTES, edit_distance, is_near, nearest, person_slug
from dramafeed.content.schema import Defaults
from dramafeed.model import BodyFormat, Problem

from .html_check import check_safe

ODD = st.text(
    alphabet=st.one_of(
        st.sampled_from(":-#&*![]{}|>'\"%@`,? \n\t\r\\~<>/.=_^()"), st.characters(codec="utf-8")
    )
)
NAMES = ["title", "kind", "author", "published", "rating", "image", "tags", "drama", "spoilers",
 "trailer", "slug",
         "redirect_from", "federation", "season", "draft", "name", "links", "cast", "ids",
         "timezone", "handle"]  # fmt: skip
YAMLISH = st.lists(st.tuples(st.sampled_from(NAMES), ODD)).map(lambda p: "\n".join(f"{k}: {v}" for k, v in p))
READERS: list[Any] = [
    partial(drafts.read_review, path="reviews/a.md", defaults=Defaults()),
    partial(drafts.read_review, path="reviews/a.txt", defaults=Defaults()),
    partial(drafts.read_author, path="authors/a.md"),
    partial(drafts.read_drama, path="dramas/a.yaml"),
    partial(drafts.read_page, path="pages/a.md"),
    partial(drafts.read_site, path="site.yaml"),
]
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def survives(reader: Any, data: bytes) -> None:
    """Reads, and checks that what comes out instead is a list of problems with places."""
    problems: tuple[Problem, ...] = ()
    try:
        reader(data)
    except BadFileError as error:
        problems = error.problems or (Problem("", "no problem", line=0),)
    last = data.count(b"\n") + data.count(b"\r") + 1
    for problem in problems:
        assert 1 <= problem.line <= last
        assert problem.column >= 1
        assert "\n" not in str(problem)


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.keywords["path"])
@given(st.binary())
@quick
def test_any_bytes(reader: Any, data: bytes) -> None:
    """Arbitrary bytes are answered with problems."""
    survives(reader, data)


@pytest.mark.parametrize("reader", READERS, ids=lambda r: r.keywords["path"])
@given(YAMLISH, ODD)
@example("title: a\n...\nb", "")
@example("? a\n: b", "")
@example("title: [\n", "")
@quick
def test_any_front_matter(reader: Any, front: str, body: str) -> None:
    """Arbitrary fields with odd values are answered with problems."""
    yaml_only = reader.keywords["path"].endswith("yaml")
    survives(reader, (front if yaml_only else f"---\n{front}\n---\n[Review] T\n\n{body}").encode())


ATTACK = st.sampled_from(
    ["<script>", "javascript:", " onerror=", "](", "![", "[[", "]]", ":::spoiler\n", ":::\n", "|", "\n",
     "\n\n", "[^1]",
     "[^1]: ", "`", "**", "<", ">", '"', "'", "# ", "- ", "    ", "data:text/html,", "&#x6A;", "\\", "https://e.example/"]
)  # fmt: skip


@given(st.lists(st.one_of(ATTACK, ODD), max_size=30).map("".join), st.sampled_from(list(BodyFormat)))
@quick
def test_any_body_is_harmless(body: str, body_format: BodyFormat) -> None:
    """No body gives unsafe HTML, on any surface, in either format."""
    for surface in (Surface.PAGE, Surface.FEED, Surface.FEDIVERSE):
        check_safe(render(body, body_format, surface, page_url="https://blog.example/"))
    render(body, body_format, Surface.PLAIN)


@given(
    before=st.lists(st.one_of(ATTACK, ODD), max_size=8).map("".join),
    inside=st.lists(st.one_of(ATTACK.filter(lambda a: ":::" not in a), ODD), max_size=8).map("".join),
    body_format=st.sampled_from(list(BodyFormat)),
)
@quick
def test_no_passage_comes_out_of_a_checked_file(before: str, inside: str, body_format: BodyFormat) -> None:
    """A secret between marks is in no feed, post or summary of any file that passes the checks."""
    secret = "Kqxzwv"
    body = f"{before}\n\n:::spoiler\n{inside}\n\n{secret}\n\n:::\n\nEnd."
    path = "reviews/a.md" if body_format is BodyFormat.MARKDOWN else "reviews/a.txt"
    front = "---\ntitle: T\n---\n"
    try:
        review = drafts.read_review((front + body).encode(), path, Defaults()).review
    except BadFileError:
        return
    for surface in (Surface.FEED, Surface.FEDIVERSE, Surface.PLAIN):
        assert secret not in render(review.body, review.format, surface)


# ---------------------------------------------------------------------------- names


@given(st.text())
def test_slugs(text: str) -> None:
    """Slugs are NFC, lower case, short, stable, and hold letters, digits and hyphens only."""
    slug = slugify(text)
    assert slug == unicodedata.normalize("NFC", slug)
    assert slugify(slug) == slug
    assert len(slug.encode()) <= MAX_SLUG_BYTES
    assert all(c == "-" or unicodedata.category(c)[0] in "LNM" for c in slug)
    assert not slug.startswith("-")
    assert not slug.endswith("-")
    assert slugify(person_slug(text)) == person_slug(text)


@given(st.text(alphabet="abc", max_size=6), st.text(alphabet="abc", max_size=6))
def test_edit_distance(one: str, other: str) -> None:
    """The distance is symmetric, zero only for equal words, and respects its limit."""
    distance = edit_distance(one, other, 10)
    assert distance == edit_distance(other, one, 10)
    assert (distance == 0) == (one == other)
    assert distance is not None
    assert edit_distance(one, other, distance) == distance
    if distance:
        assert edit_distance(one, other, distance - 1) is None


@given(st.text(alphabet=string.ascii_letters + " -", min_size=1))
def test_a_name_is_near_itself(name: str) -> None:
    """Every name is near itself."""
    assert is_near(name, name)


def test_nearest() -> None:
    """The nearest word wins, a far one never."""
    assert nearest("raiting", ["rating", "trailer"]) == "rating"
    assert nearest("xyz", ["rating", "trailer"]) is None
    assert nearest("teh", ["the", "toe"]) == "the"
