"""What a body refers to, and what in it would not look as its writer thinks.

Finds the targets that the library has to resolve, and the mistakes that would show a spoiler to
everybody. Will not look at other files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from markdown_it.token import Token

from dramafeed.model import BodyFormat, Problem, Severity

from .markdown_source import PICTURE_NAME, parse, target_key


@dataclass(frozen=True)
class Target:
    """A link or picture in a body: its target as written (`target_key`), and where it stands."""

    key: str
    line: int
    column: int
    picture: bool = False
    alt: str = ""


@dataclass(frozen=True)
class Findings:
    """What `check` found in one body."""

    targets: tuple[Target, ...] = ()
    problems: tuple[Problem, ...] = ()


# Without any of these there is nothing to find, and nothing has to be parsed.
_INTERESTING = re.compile(r"\]\(|\[\[|\]\[|\]:|::|<[a-zA-Z!]")
_SPOILER_LIKE = re.compile(r"[\s>*+\-0-9.)]*:{2,}\s*spoi?l", re.IGNORECASE)
_OTHER_MARK = re.compile(r"\s*:{3,}\s*([^\s:].*)$")
_HTML = re.compile(r"<(?:/?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>|!--)")


def check(body: str, body_format: BodyFormat, path: str, first_line: int) -> Findings:
    """Looks through a body.

    Args:
        body: the text.
        body_format: how it is written; plain text has spoilers, but no links of ours.
        path: of the file, for the messages.
        first_line: where the body begins in its file.
    """
    if not _INTERESTING.search(body):
        return Findings()
    lines = body.split("\n")
    if body_format is BodyFormat.PLAIN:
        return Findings(problems=tuple(_check_plain_marks(lines, path, first_line)))
    tokens = parse(body)
    targets = tuple(_targets(tokens, lines, first_line))
    problems = [
        *_check_marks(tokens, lines, path, first_line),
        *_check_notes(tokens, path, first_line),
        *_check_html(tokens, lines, path, first_line),
        *(_no_alt(target, path) for target in targets if target.picture and not target.alt),
    ]
    return Findings(targets, tuple(problems))


# ---------------------------------------------------------------------------- targets


def _targets(tokens: list[Token], lines: list[str], first_line: int) -> Iterator[Target]:
    found: dict[tuple[str, bool], Target] = {}
    line = 0
    for token in tokens:
        line = token.map[0] if token.map else line
        for child in token.children or []:
            written = str(child.attrs.get("src") or child.attrs.get("href") or "")
            if not written or not _is_ours(written):
                continue
            key = target_key(written)[0]
            picture = child.type == "image" or bool(PICTURE_NAME.search(key))
            alt = child.content if child.type == "image" else "(a link)"
            at, column = _find(lines, line, written, key)
            target = Target(key, at + first_line, column + 1, picture, alt.strip())
            found.setdefault((key, picture), target)
    return iter(found.values())


def _is_ours(target: str) -> bool:
    """True for targets that mean a file of the content folder."""
    try:
        scheme = urlsplit(target).scheme
    except ValueError:
        return False
    return not scheme and not target.startswith(("/", "#"))


def _find(lines: list[str], start: int, *spellings: str) -> tuple[int, int]:
    """Where a target stands at or after the first line of its paragraph."""
    for number in range(start, min(start + 200, len(lines))):
        for spelling in spellings:
            column = lines[number].find(spelling)
            if column >= 0:
                return number, column
    return start, 0


def _no_alt(target: Target, path: str) -> Problem:
    message = f"The picture {target.key} has no description for people who cannot see it"
    fix = "Write ![what the picture shows](its name), or ![[its name|what it shows]]."
    return Problem(path, message, fix, target.line, target.column, Severity.WARNING)


# ---------------------------------------------------------------------------- spoilers


def _check_marks(tokens: list[Token], lines: list[str], path: str, first_line: int) -> Iterator[Problem]:
    """Every `:::` must do what its writer thinks it does: otherwise a spoiler is public."""
    used: set[int] = {n for t in tokens if t.type == "fence" and t.map for n in range(*t.map)}
    for token in tokens:
        if token.type != "container_spoiler_open" or token.map is None:
            continue
        start, end = token.map
        used.update((start, end))
        if token.info.rstrip().endswith(":::"):
            yield _one_line(path, start + first_line)
        elif end >= len(lines) or not re.fullmatch(r"[\s>]*:{3,}\s*", lines[end]):
            yield _unclosed(path, start + first_line)
    for number, line in enumerate(lines):
        if number not in used:
            yield from _check_unused_mark(path, number + first_line, line)


def _check_plain_marks(lines: list[str], path: str, first_line: int) -> Iterator[Problem]:
    opened: int | None = None
    for number, line in enumerate(lines, first_line):
        mark = re.fullmatch(r"\s*:{3,}\s*(.*?)\s*", line)
        if mark and opened is None and re.match(r"spoilers?(?:\s|$)", mark[1], re.IGNORECASE):
            opened = number
            if mark[1].endswith(":::"):
                yield _one_line(path, number)
        elif mark and opened is not None and not mark[1]:
            opened = None
        else:
            yield from _check_unused_mark(path, number, line)
    if opened is not None:
        yield _unclosed(path, opened)


def _check_unused_mark(path: str, number: int, line: str) -> Iterator[Problem]:
    if _SPOILER_LIKE.match(line):
        message = "This line does not begin a spoiler, so the text below it would be public"
        yield Problem(path, message, "Write :::spoiler at the beginning of the line.", number)
    elif _OTHER_MARK.match(line):
        fix = "Write :::spoiler and :::, or begin the line with something else than :::"
        yield Problem(path, f"`{line.strip()[:40]}` is unknown", fix, number)
    elif re.fullmatch(r"\s*:{3,}\s*", line):
        fix = "Write :::spoiler on a line of its own where the spoiler begins, or delete this line."
        yield Problem(path, "This ::: closes nothing", fix, number)


def _one_line(path: str, line: int) -> Problem:
    fix = "Write :::spoiler on a line of its own, then the text, then ::: on a line of its own."
    return Problem(path, "This spoiler is written on one line", fix, line)


def _unclosed(path: str, line: int) -> Problem:
    fix = "Put ::: on a line of its own where the spoiler ends, as far left as its beginning."
    return Problem(path, "This spoiler is never closed", fix, line)


def _check_notes(tokens: list[Token], path: str, first_line: int) -> Iterator[Problem]:
    """A footnote that stands in a spoiler but is called from outside would give it away."""
    spoiled = {
        token.meta["id"] for token in tokens if token.type == "footnote_open" and token.meta.get("spoiled")
    }
    depth = line = 0
    for token in tokens:
        if token.type.startswith("container_spoiler"):
            depth += token.nesting
        line = token.map[0] if token.map else line
        for child in token.children or []:
            if child.type == "footnote_ref" and not depth and child.meta["id"] in spoiled:
                message = "This footnote stands in a spoiler, so it is not shown here"
                fix = "Move the footnote's text below the spoiler's closing :::"
                yield Problem(path, message, fix, line + first_line)


# ---------------------------------------------------------------------------- HTML


def _check_html(tokens: list[Token], lines: list[str], path: str, first_line: int) -> Iterator[Problem]:
    """HTML is shown as text: say so once, at its first place."""
    line = 0
    for token in tokens:
        line = token.map[0] if token.map else line
        for child in token.children or []:
            match = _HTML.search(child.content) if child.type == "text" else None
            if match:
                at, column = _find(lines, line, match[0])
                message = f"HTML such as `{match[0][:40]}` is shown as it stands"
                fix = "Use Markdown instead, or leave it out."
                yield Problem(path, message, fix, at + first_line, column + 1, Severity.WARNING)
                return
