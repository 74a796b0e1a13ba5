"""One content file at a time: bytes in, a draft out that only lacks what other files know.

A draft depends on nothing but its own bytes and the site's defaults, so the library keeps it for as
long as the file stays the same. Will not look at other files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from dramafeed import model
from dramafeed.model import BodyFormat, Problem, Severity

from . import front_matter, plain_text, schema
from .body_check import Findings, Target, check
from .front_matter import BadFileError, Document, Fields, refusal
from .names import MAX_SLUG_BYTES, one_line, slugify
from .plain_text import AuthorBlock, PlainText
from .schema import Defaults, Ref, ReviewFields
from .shelf import own_name


@dataclass(frozen=True)
class ReviewDraft:
    """A review without authors, drama, links and pictures.

    `unsigned` is the body with the author block as its last paragraph, for the case that the block
    turns out to be no signature.
    """

    review: model.Review
    authors: tuple[Ref, ...] = ()
    signature: AuthorBlock | None = None
    unsigned: str = ""
    drama: Ref | None = None
    inline_drama: model.Drama | None = None
    image: Ref | None = None
    targets: tuple[Target, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class PageDraft:
    """A page without its pictures."""

    page: model.Page
    targets: tuple[Target, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class AuthorDraft:
    """An author without the avatar's picture."""

    author: model.Author
    avatar: Ref | None = None
    handle: Ref | None = None
    problems: tuple[Problem, ...] = ()


def read_review(data: bytes, path: str, defaults: Defaults) -> ReviewDraft:
    """Reads `reviews/*.md`, `reviews/*.txt` or an index file.

    Args:
        data: the file.
        path: where it is; decides the format and, without `slug:`, the slug.
        defaults: what site.yaml says for reviews that say nothing.

    Raises:
        BadFileError: with all its problems.
    """
    document = front_matter.split(front_matter.decode(data, path), path)
    if path.lower().endswith(".txt"):
        return _read_plain_text(document, path, defaults)
    typed = schema.read_review(_fields(document, path), path, defaults)
    if not document.body.strip():
        raise refusal(path, "There is no text below the front matter", "Write it there.")
    body, line = _trimmed(document)
    findings = check(body, BodyFormat.MARKDOWN, path, line)
    review = replace(typed.review, body=body, slug=_slug(typed.review.slug, own_name(path), path))
    return _draft(review, typed, findings, path)


def _read_plain_text(document: Document, path: str, defaults: Defaults) -> ReviewDraft:
    fields = document.fields or Fields({}, {}, 1, 1)
    typed = schema.read_review(fields, path, defaults, plain_text=True)
    text = plain_text.parse(
        document.body, path, document.body_line, titled=bool(typed.review.title), trailer=typed.trailer_given
    )
    body = text.body()
    # The body is the text without its credit, title and author lines, so lines are counted anew.
    findings = _check_paragraphs(text, path)
    review = replace(
        typed.review,
        title=typed.review.title or text.title or "",
        kind=typed.review.kind if "kind" in fields.values else text.kind or typed.review.kind,
        body=body,
        format=BodyFormat.PLAIN,
        slug=_slug(typed.review.slug, own_name(path), path),
        image=_with_credit(typed.review.image, text.credit),
    )
    draft = _draft(review, typed, findings, path)
    return replace(
        draft,
        signature=text.author,
        unsigned=text.body(with_author_block=True),
        problems=(*draft.problems, *text.warnings),
    )


def _check_paragraphs(text: PlainText, path: str) -> Findings:
    """Checks the paragraphs with the line numbers of the file."""
    last = text.paragraphs[-1]
    first = text.paragraphs[0].line
    lines = [""] * (last.line + len(last.lines) - first)
    for block in text.paragraphs:
        lines[block.line - first : block.line - first + len(block.lines)] = block.lines
    return check("\n".join(lines), BodyFormat.PLAIN, path, first)


def _with_credit(image: model.Image | None, credit: str) -> model.Image | None:
    if not credit:
        return image
    return replace(image, credit=image.credit or credit) if image else model.Image(credit=credit)


def _draft(review: model.Review, typed: ReviewFields, findings: Findings, path: str) -> ReviewDraft:
    errors = [p for p in findings.problems if p.severity is Severity.ERROR]
    if errors:
        raise BadFileError(*errors)
    inline = typed.inline_drama
    if inline is not None:
        inline = replace(inline, slug=_slug("", inline.title, path, "drama's title"))
    return ReviewDraft(
        review=review,
        authors=typed.authors,
        drama=typed.drama,
        inline_drama=inline,
        image=typed.image,
        targets=findings.targets,
        problems=(*typed.warnings, *findings.problems),
    )


def read_page(data: bytes, path: str) -> PageDraft:
    """Reads `pages/*.md`.

    Raises:
        BadFileError: with all its problems.
    """
    document = front_matter.split(front_matter.decode(data, path), path)
    title, wish = schema.read_page(_fields(document, path), path)
    slug = _slug(wish, PurePosixPath(path).stem, path)
    if slug in _TAKEN:
        raise refusal(path, f"The address /{slug}/ is used by the site itself",
                      "Rename the file, or write slug: and another word.")  # fmt: skip
    body, line = _trimmed(document)
    findings = check(body, BodyFormat.MARKDOWN, path, line)
    errors = [p for p in findings.problems if p.severity is Severity.ERROR]
    if errors:
        raise BadFileError(*errors)
    page = model.Page(path, slug, title, body)
    return PageDraft(page, findings.targets, findings.problems)


# First steps of the addresses that dramafeed answers at itself.
_TAKEN = frozenset(
    ("reviews", "authors", "dramas", "people", "tags", "kinds", "archive", "search", "subscribe",
     "feeds", "ap", "api", "desk", "hooks", "preview", "media", "static", "healthz", "readyz",
     "metrics", "sitemap", "robots", "feed", "atom")
)  # fmt: skip


def read_author(data: bytes, path: str) -> AuthorDraft:
    """Reads `authors/*.md`; the file's name is the author's slug.

    Raises:
        BadFileError: with all its problems.
    """
    document = front_matter.split(front_matter.decode(data, path), path)
    slug = _slug("", PurePosixPath(path).stem, path)
    typed = schema.read_author(_fields(document, path, "name: Ilse"), path, slug)
    body, line = _trimmed(document)
    findings = check(body, BodyFormat.MARKDOWN, path, line)
    return AuthorDraft(replace(typed.author, bio=body), typed.avatar, typed.handle, findings.problems)


def read_drama(data: bytes, path: str) -> model.Drama:
    """Reads `dramas/*.yaml`; the file's name is the drama's slug.

    Raises:
        BadFileError: with all its problems.
    """
    fields = front_matter.parse(front_matter.decode(data, path), path)
    return schema.read_drama(fields, path, _slug("", PurePosixPath(path).stem, path))


def read_site(data: bytes, path: str) -> schema.SiteFields:
    """Reads site.yaml.

    Raises:
        BadFileError: with all its problems.
    """
    return schema.read_site(front_matter.parse(front_matter.decode(data, path), path), path)


def stem_slug(path: str) -> str:
    """The slug of an author or drama, made of its file's name."""
    return slugify(PurePosixPath(path).stem)


def _fields(document: Document, path: str, example: str = "title: My title") -> Fields:
    if document.fields is not None:
        return document.fields
    first = one_line(document.body.strip().split("\n", 1)[0])
    fix = f"Begin the file with three lines: ---, then {example}, then ---"
    if first.startswith("["):
        fix = f"Rename it to {PurePosixPath(path).stem}.txt, or begin it with ---, title: and ---"
    raise refusal(path, "The file does not begin with front matter", fix)


def _trimmed(document: Document) -> tuple[str, int]:
    """The body without blank lines around it, and the line where it begins."""
    lines = document.body.split("\n")
    blank = next((i for i, line in enumerate(lines) if line.strip()), 0)
    return "\n".join(lines[blank:]).rstrip(), document.body_line + blank


def _slug(wish: str, name: str, path: str, what: str = "file's name") -> str:
    slug = wish or slugify(name)
    if not slug or len(slug.encode()) > MAX_SLUG_BYTES:
        fix = "Write slug: and a short word, or rename the file."
        raise refusal(path, f"No address can be made of the {what}", fix)
    return slug
