"""The plain-text layout: a photo credit, `[Kind] Title`, paragraphs, the author at the end.

Takes a text apart and says where each part stands. Will not decide who the author is (the library
knows the known ones) and leaves every quotation mark as it was typed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from dramafeed.model import Kind, Problem, Severity

from .front_matter import refusal
from .names import nearest, one_line


@dataclass(frozen=True)
class Block:
    """One paragraph: its lines without trailing white space, and the number of the first."""

    lines: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class AuthorBlock:
    """The last block: the author's name as written and what they say about themselves."""

    name: str
    bio: str
    block: Block


@dataclass(frozen=True)
class PlainText:
    """A text in the layout. `kind` and `title` are None where front matter has to say them."""

    credit: str
    credit_line: int
    kind: Kind | None
    title: str | None
    title_line: int
    paragraphs: tuple[Block, ...]
    author: AuthorBlock | None
    warnings: tuple[Problem, ...] = ()

    def body(self, *, with_author_block: bool = False) -> str:
        """The paragraphs, joined by blank lines."""
        blocks = [str(block) for block in self.paragraphs]
        if with_author_block and self.author:
            blocks.append(str(self.author.block))
        return "\n\n".join(blocks)


_CREDIT = re.compile(r"photo credit(?:s|\(s\))?\s*[:：]\s*(.*)$", re.I)
_TITLE = re.compile(r"\[\s*([^\[\]]+?)\s*\]\s*(.*)$")
_NAME_SIGNS = frozenset(" .'’-‐‑")
_END_MARKS = tuple(".!?…。！？:;,")


def parse(
    text: str, path: str, first_line: int = 1, *, titled: bool = False, trailer: bool = False
) -> PlainText:
    """Takes a text in the "[Review] Title" layout apart.

    Args:
        text: the text below the front matter, if there is any.
        path: of the file, for the messages.
        first_line: where `text` begins in its file.
        titled: front matter has the title, so the `[Kind] Title` line may be missing.
        trailer: front matter has the trailer, so a text may promise one.

    Raises:
        BadFileError: no title, an unknown kind, or no text.
    """
    blocks = _blocks(text, first_line)
    credit, credit_line, blocks = _take_credit(blocks)
    kind, title, title_line, blocks = _take_title(blocks, path, titled)
    if not blocks:
        raise refusal(path, "There is no text below the title", "Write it there.", title_line)
    author, warnings = _author_block(blocks, path)
    paragraphs = blocks[:-1] if author else blocks
    if not trailer:
        warnings += _broken_promise(paragraphs, path)
    return PlainText(credit, credit_line, kind, title, title_line, tuple(paragraphs), author, tuple(warnings))


def _blocks(text: str, first_line: int) -> list[Block]:
    blocks: list[Block] = []
    lines: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], first_line):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            blocks.append(Block(tuple(lines), number - len(lines)))
            lines = []
    return blocks


def _without_first_line(blocks: list[Block]) -> list[Block]:
    first = blocks[0]
    rest = [Block(first.lines[1:], first.line + 1)] if len(first.lines) > 1 else []
    return rest + blocks[1:]


def _take_credit(blocks: list[Block]) -> tuple[str, int, list[Block]]:
    match = _CREDIT.match(blocks[0].lines[0]) if blocks else None
    if not match:
        return "", 0, blocks
    return one_line(match[1]), blocks[0].line, _without_first_line(blocks)


def _take_title(
    blocks: list[Block], path: str, titled: bool
) -> tuple[Kind | None, str | None, int, list[Block]]:
    line = blocks[0].lines[0] if blocks else ""
    number = blocks[0].line if blocks else 1
    match = _TITLE.match(line)
    if match is None:
        if titled:
            return None, None, number, blocks
        fix = f"Write: [Review] {one_line(line)[:80] or 'Title'}"
        raise refusal(path, "The line with the kind and the title is missing", fix, number)
    if not match[2].strip():
        raise refusal(path, "The title is missing", f"Write: [{match[1]}] Title", number)
    kind = _kind(match[1], path, number, line.index("[") + 2)
    return kind, one_line(match[2]), number, _without_first_line(blocks)


def _kind(word: str, path: str, line: int, column: int) -> Kind:
    known = [kind.value for kind in Kind]
    lower = word.casefold()
    if lower in known:
        return Kind(lower)
    near = nearest(lower, known)
    listing = ", ".join(f"[{name.capitalize()}]" for name in known)
    fix = f"Did you mean [{near.capitalize()}]?" if near else f"Write one of {listing}."
    message = f"The kind [{word}] is unknown; known are {', '.join(known)}"
    raise refusal(path, message, fix, line, column)


# ---------------------------------------------------------------------------- the author


def _author_block(blocks: list[Block], path: str) -> tuple[AuthorBlock | None, list[Problem]]:
    last = blocks[-1]
    if len(blocks) < 2 or len(last.lines) < 2:
        return None, []
    name = one_line(last.lines[0])
    if is_name(name):
        return AuthorBlock(name, one_line(" ".join(last.lines[1:])), last), []
    if len(name.split()) > 6 or name.endswith(_END_MARKS) or not _is_letter(name[0]):
        return None, []  # plainly a paragraph
    message = f"`{name[:60]}` does not look like a name, so the last block is shown as text"
    fix = "If it is the author, write the name in letters, with capitals; else ignore this."
    return None, [Problem(path, message, fix, last.line, 1, Severity.WARNING)]


def is_name(line: str) -> bool:
    """True when a line consists of at most six words that can be a person's name."""
    words = line.split()
    if not 1 <= len(words) <= 6 or line.endswith(_END_MARKS):
        return False
    if any(not _is_letter(c) and c not in _NAME_SIGNS for c in line):
        return False
    # "van den" may be small, but a name begins and ends with a capital where there are capitals.
    return all(_is_capitalised(word) for word in (words[0], words[-1]))


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM"


def _is_capitalised(word: str) -> bool:
    first = next((c for c in word if _is_letter(c)), "")
    return bool(first) and unicodedata.category(first) != "Ll"


# ---------------------------------------------------------------------------- the trailer


def _broken_promise(paragraphs: list[Block], path: str) -> list[Problem]:
    last = str(paragraphs[-1]).casefold()
    if "trailer" not in last or "below" not in last or "://" in last:
        return []
    fix = "Paste its address on a line below, or write trailer: in front matter at the top."
    message = "The text promises a trailer below, but there is none"
    return [Problem(path, message, fix, paragraphs[-1].line, 1, Severity.WARNING)]
