"""Foreign text in the "[Review] Title" layout becomes content files; no line goes unaccounted for.

Returns texts and a report; will not write anything, and never turns prose into facts: what looks
like a fact about the drama is only suggested.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dramafeed.model import Library, Problem

from . import front_matter, plain_text
from .front_matter import BadFileError, Document, Text, refusal
from .names import person_slug, slugify
from .people import Authors, Known, bio_key
from .plain_text import AuthorBlock, Block, PlainText


@dataclass(frozen=True)
class ImportResult:
    """What an import would write, and what it made of the source.

    `files` are (path below the content folder, text); there are none when `problems` has an error
    or when `duplicate_of` names the review that holds this source already.
    """

    files: tuple[tuple[str, str], ...] = ()
    report: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    suggestions: tuple[str, ...] = ()
    duplicate_of: str | None = None


def import_text(source: Path | str, library: Library, published: datetime | None = None) -> ImportResult:
    """Turns one foreign text into a Markdown review with front matter.

    Args:
        source: a file, or the text itself.
        library: what is in the content folder, to recognise authors and earlier imports.
        published: when the text came out, if that is known.
    """
    name = source.name if isinstance(source, Path) else "text"
    try:
        data = source.read_bytes() if isinstance(source, Path) else source.encode()
        text = front_matter.decode(data, name)
        mark = f"sha256:{hashlib.sha256(text.strip().encode()).hexdigest()}"
        earlier = _earlier(library, mark)
        if earlier:
            return ImportResult(report=(f"{name}: imported before, as {earlier}",), duplicate_of=earlier)
        return _import(text, name, mark, library, published)
    except BadFileError as error:
        return ImportResult(problems=error.problems)
    except OSError as error:
        problem = Problem(name, f"The file cannot be read ({error.strerror})", "Check its rights.")
        return ImportResult(problems=(problem,))


def _earlier(library: Library, mark: str) -> str | None:
    return next((path for path, card in library.cards.items() if card.imported_from == mark), None)


def _import(text: str, name: str, mark: str, library: Library, published: datetime | None) -> ImportResult:
    document = front_matter.split(text, name)
    given = document.fields.values if document.fields else {}
    plain = plain_text.parse(
        document.body, name, document.body_line, titled="title" in given, trailer="trailer" in given
    )
    written = given.get("title")
    title = plain.title or (written.value if isinstance(written, Text) else "")
    slug = slugify(title)
    path = f"reviews/{slug}.md"
    if not slug:
        raise refusal(name, "No file name can be made of the title", "Give it a title with letters.")
    if path in library.cards or path in library.broken:
        raise refusal(name, f"{path} exists already", "Rename that file, or change this title.")
    added = _fields(plain, mark, published)
    byline, files, report = _author(plain.author, name, library)
    if byline and not {"author", "authors"} & given.keys():
        added["author"] = byline
    lines = _front_lines(text, document) + [f"{k}: {v}" for k, v in added.items() if k not in given]
    body = "\n\n".join("\\\n".join(map(escape, block.lines)) for block in plain.paragraphs)
    review = "\n".join(["---", *lines, "---", body, ""])
    return ImportResult(
        files=((path, review), *files),
        report=(f"{name}: becomes {path}", *_account(text, document, plain), *report),
        problems=plain.warnings,
        suggestions=tuple(dict.fromkeys(_suggestions(plain.paragraphs))),
    )


def _fields(plain: PlainText, mark: str, published: datetime | None) -> dict[str, str]:
    fields: dict[str, str] = {}
    if plain.title:
        fields["title"] = _quoted(plain.title)
    if plain.kind:
        fields["kind"] = plain.kind.value
    if published:
        fields["published"] = published.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if plain.credit:
        fields["image"] = f"{{credit: {_quoted(plain.credit)}}}"
    fields["imported_from"] = mark
    return fields


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # JSON's quoting is YAML's too


def _front_lines(text: str, document: Document) -> list[str]:
    """The front matter of the source as it stands; it wins over what the layout says."""
    if document.fields is None:
        return []
    lines = text.split("\n")[: document.body_line - 2]
    return lines[next(i for i, line in enumerate(lines) if line.strip()) + 1 :]


def _author(
    block: AuthorBlock | None, name: str, library: Library
) -> tuple[str, list[tuple[str, str]], list[str]]:
    """The slug for front matter, the author's file if they are new, and what to report."""
    if block is None:
        return "", [], ["author: none named"]
    people = library.authors.values()
    known = Authors(Known(a.slug, (a.name, *a.aliases), a.bio, a.path) for a in people)
    found = known.match(block.name)
    if len(found) == 1:
        same = bio_key(found[0].bio) == bio_key(block.bio)
        fate = "as known" if same else f"differs from the known one and is left out: {block.bio}"
        return found[0].slug, [], [f"author: {block.name} is {found[0].slug}", f"bio: {fate}"]
    near = known.near(block.name, block.bio)
    alike = [*found, *([near] if near else [])]
    if alike:
        names = " or ".join(author.slug for author in alike)
        message = f"The author {block.name} is not exactly a known one ({names})"
        raise refusal(name, message, "Write the name as it is known.", block.block.line)
    slug = person_slug(block.name)
    text = f"---\nname: {_quoted(block.name)}\n---\n{escape(block.bio)}\n"
    path = f"authors/{slug}.md"
    report = [f"author: {block.name} is new: {path} makes a public account", f"bio: goes to {path}"]
    return slug, [(path, text)], report


# ---------------------------------------------------------------------------- Markdown

_SPECIAL = re.compile(
    r"[\\*`\[<~|]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)"  # anywhere
    r"|^(?:[#>+=-]|:(?=::|-))|(?<=^\d)[.)]|(?<=^\d\d)[.)]|(?<=^\d{3})[.)]|(?<=^\d{4})[.)]"
)


def escape(line: str) -> str:
    """A line of plain text as Markdown that shows exactly this text."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", line)


# ---------------------------------------------------------------------------- the report


def _account(text: str, document: Document, plain: PlainText) -> Iterator[str]:
    """What became of every line of the source."""
    total = len(text.rstrip("\n").split("\n"))
    front = document.body_line - 1 if document.fields else 0
    used = front + bool(plain.credit_line) + bool(plain.title)
    if front:
        yield f"lines 1-{front}: front matter, kept"
    if plain.credit_line:
        yield f"line {plain.credit_line}: photo credit {plain.credit}"
    if plain.title:
        yield f"line {plain.title_line}: {plain.kind} with the title {plain.title}"
    blocks = [*plain.paragraphs, *([plain.author.block] if plain.author else [])]
    written = sum(len(block.lines) for block in blocks)
    yield f"paragraphs: {len(plain.paragraphs)}"
    if plain.author:
        first = plain.author.block.line
        yield f"lines {first}-{first + len(plain.author.block.lines) - 1}: author and bio"
    yield f"{total} lines in all: {used + written} used, {total - used - written} blank"


_NAME = r"[A-Z][\w’'-]*(?: [A-Z][\w’'-]*){1,3}"
_NAMES = rf"{_NAME}(?:(?:, | and |, and ){_NAME})*"
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_FACTS = {
    "episodes": r"\b(\d{1,3}) episodes\b",
    "platform": r"\b(Netflix|Disney\+|Viki|Viu|TVING|Apple TV\+|tvN|JTBC|SBS|KBS|MBC|ENA|OCN)",
    "based_on": rf"based on (?:the |a )?([\w -]+? (?:written |created |drawn )?by {_NAME})",
    "writers": rf"(?:adapted|screenplay|script) (?:written )?by ({_NAMES})",
    "directors": rf"directed by ({_NAMES})|({_NAMES}) (?:were|was) in charge of directing",
    "cast": rf"([A-Z][\w’'-]*(?: [A-Z][\w’'-]*){{0,3}}) \(played by ({_NAME})",
    "status": r"(another season[^.!?]*)",
    "released": rf"came out in (?:({'|'.join(_MONTHS)})(?: of|,)? )?(\d{{4}})",
}


def _suggestions(paragraphs: tuple[Block, ...]) -> Iterator[str]:
    """What prose says about the drama, for a person to confirm."""
    for block in paragraphs:
        text = " ".join(block.lines)
        for field, pattern in _FACTS.items():
            for match in re.finditer(pattern, text):
                parts = [part for part in match.groups() if part]
                yield f"{field}: {_fact(field, parts)} (line {block.line})"


def _fact(field: str, parts: list[str]) -> str:
    if field == "cast":
        return f"{{actor: {parts[1]}, role: {parts[0]}}}"
    if field == "released" and len(parts) == 2:
        return f"{parts[1]}-{_MONTHS.index(parts[0]) + 1:02}"
    return parts[0]
