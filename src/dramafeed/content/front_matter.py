"""Front matter: bytes become text, text becomes a tree of strings with positions, and a body.

The only importer of yaml. All scalars stay strings (`title: yes` is a title); the schema types
them. Will not judge fields: every mistake it reports is one of encoding or of YAML syntax, as
`Problem`s that name line and column of the whole file and what to write instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from dramafeed.errors import ContentError
from dramafeed.model import Problem

from . import yaml_advice
from .names import clean

MAX_FILE = 256 * 1024
MAX_FRONT_MATTER = 16 * 1024
MAX_YAML_FILE = 64 * 1024
MAX_DEPTH = 8


class BadFileError(ContentError):
    """A content file that cannot be read; `problems` say where, why and what to write instead."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems[0].path, problems[0].message)
        self.problems = problems


def refusal(path: str, message: str, fix: str, line: int = 1, column: int = 1) -> BadFileError:
    """The error of a file with this one problem."""
    return BadFileError(Problem(path, message, fix, line, column))


@dataclass(frozen=True)
class Text:
    """One scalar as written; `plain` means without quotes. Lines and columns count from 1."""

    value: str
    line: int
    column: int
    plain: bool = True


@dataclass(frozen=True)
class Items:
    """A list of nodes."""

    values: tuple[Node, ...]
    line: int
    column: int


@dataclass(frozen=True)
class Fields:
    """A mapping; `keys` holds where each key stands, `values` what it holds."""

    keys: dict[str, Text]
    values: dict[str, Node]
    line: int
    column: int


Node = Text | Items | Fields


@dataclass(frozen=True)
class Document:
    """A content file taken apart: front matter (None when there is none) and the body below it."""

    fields: Fields | None
    body: str
    body_line: int


# ---------------------------------------------------------------------------- decoding


def decode(data: bytes, path: str) -> str:
    """Turns the bytes of a file into clean text with `\\n` line ends.

    Args:
        data: the whole file.
        path: its path, for the messages.

    Raises:
        BadFileError: too big, not UTF-8 (or UTF-16 with its mark), or with NUL bytes in it.
    """
    if len(data) > MAX_FILE:
        raise refusal(
            path, f"The file is larger than {MAX_FILE // 1024} KB", "Split it into several reviews."
        )
    try:
        text = _decode_unicode(data)
    except UnicodeDecodeError as error:
        raise BadFileError(_encoding_problem(data, error, path)) from None
    if "\x00" in text:
        line, column = _position(text, text.index("\x00"))
        raise refusal(
            path,
            "The file contains NUL bytes, so it is no plain text",
            "Save it again as plain text with the encoding UTF-8.",
            line,
            column,
        )
    if not text.strip():
        raise refusal(path, "The file is empty", "Write the text, or delete the file.")
    return clean(text)


def _decode_unicode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def _encoding_problem(data: bytes, error: UnicodeDecodeError, path: str) -> Problem:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Problem(
            path, "The file ends in the middle of a character", "Save it again with the encoding UTF-8."
        )
    start = data[: error.start].decode("utf-8-sig", errors="replace")
    line, column = _position(start, len(start))
    name, tool = _guess_encoding(data)
    cure = f"Save it as UTF-8, or run: iconv -f {tool} -t UTF-8 OLD > NEW" if tool else "Save it as UTF-8"
    return Problem(path, f"The file is not UTF-8; it looks like {name}", f"{cure}.", line, column)


def _guess_encoding(data: bytes) -> tuple[str, str]:
    """What the bytes probably are: (name for people, name for iconv)."""
    try:
        korean = data.decode("cp949")
    except UnicodeDecodeError:
        korean = ""
    foreign = [c for c in korean if not c.isascii()]
    if foreign and sum("가" <= c <= "힣" for c in foreign) * 2 > len(foreign):
        return "Korean Windows text (CP949)", "CP949"
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "an encoding that dramafeed does not know", ""
    return "Western Windows text (Windows-1252)", "CP1252"


def _position(text: str, index: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, index) + 1
    return text.count("\n", 0, index) + 1, index - start + 1


# ---------------------------------------------------------------------------- splitting

_FENCE = re.compile(r"---[ \t]*$")
# What word processors and tired fingers make of `---`.
_ALMOST_FENCE = re.compile(r"(?:[-‐‑‒–—―─]{2,}|[–—―─])[ \t]*$")


def split(text: str, path: str) -> Document:
    """Takes front matter and body apart and parses the front matter.

    Args:
        text: as `decode` returns it.
        path: for the messages.

    Raises:
        BadFileError: a fence is missing or misspelt, or the front matter is no good YAML.
    """
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if not _FENCE.match(lines[first]):
        if _ALMOST_FENCE.match(lines[first]):
            raise refusal(
                path,
                f"The first line is `{lines[first].strip()}`",
                "Write three plain hyphens: ---",
                first + 1,
            )
        return Document(None, text, 1)
    for last in range(first + 1, len(lines)):
        if _FENCE.match(lines[last]):
            front = "\n".join(lines[first + 1 : last])
            fields = parse(front, path, first + 2, MAX_FRONT_MATTER)
            return Document(fields, "\n".join(lines[last + 1 :]), last + 2)
        if _ALMOST_FENCE.match(lines[last]):
            raise refusal(
                path,
                f"The front matter is closed with `{lines[last].strip()}`",
                "Write three plain hyphens: ---",
                last + 1,
            )
    raise refusal(
        path, "The front matter is never closed", "Put a line with --- below its last field.", first + 1
    )


# ---------------------------------------------------------------------------- parsing


def parse(text: str, path: str, first_line: int = 1, limit: int = MAX_YAML_FILE) -> Fields:
    """Parses YAML into a tree of strings with positions.

    Args:
        text: the YAML.
        path: for the messages.
        first_line: where `text` begins in its file.
        limit: how many bytes it may have.

    Raises:
        BadFileError: with every syntax problem that could be found.
    """
    if len(text.encode()) > limit:
        raise refusal(
            path,
            f"The fields take more than {limit // 1024} KB",
            "Move long text below the closing ---.",
            first_line,
        )
    # YAML counts these as line breaks, editors do not: positions would differ.
    text = text.replace("\u0085", " ").replace("\u2028", " ").replace("\u2029", " ")
    builder = _Builder(path, text.split("\n"), first_line)
    try:
        for event in yaml.parse(text + "\n", Loader=_LOADER):
            builder.feed(event)
    except yaml.YAMLError as error:
        where = _mark(error, "problem_mark"), _mark(error, "context_mark")
        raise BadFileError(yaml_advice.explain(*where, builder.lines, path, first_line)) from None
    return builder.finish()


def _place(mark: Any) -> tuple[int, int]:
    """Line and column from 0; marks are of different classes in PyYAML's two parsers."""
    return (mark.line, mark.column) if mark is not None else (0, 0)


def _mark(error: yaml.YAMLError, name: str) -> tuple[int, int] | None:
    mark = getattr(error, name, None)
    return _place(mark) if mark is not None else None


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    line: int
    column: int
    mapping: bool
    values: list[Node]
    key: Text | None
    keys: dict[str, Text]
    fields: dict[str, Node]


class _Builder:
    """Builds the tree from parser events, so that nothing deep or shared is ever constructed."""

    def __init__(self, path: str, lines: list[str], first_line: int) -> None:
        self.path = path
        self.lines = lines
        self.first_line = first_line
        self.stack: list[_Open] = []
        self.roots: list[Node] = []
        self.problems: list[Problem] = []

    def feed(self, event: yaml.Event) -> None:
        """Takes one event; raises BadFileError at once for what must not be built at all."""
        if isinstance(event, yaml.NodeEvent):
            self._refuse_sharing(event)
        if isinstance(event, yaml.ScalarEvent):
            self._add(self._scalar(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.DocumentStartEvent) and self.roots:
            line, column = self._at(event.start_mark)
            raise refusal(
                self.path,
                "A second `---` begins a second document",
                "Keep all fields in one block.",
                line,
                column,
            )

    def finish(self) -> Fields:
        """The tree, once all events are in."""
        root = self.roots[0] if self.roots else Fields({}, {}, self.first_line, 1)
        if isinstance(root, Text) and not root.value:
            root = Fields({}, {}, self.first_line, 1)
        if not isinstance(root, Fields):
            self.problems.append(yaml_advice.not_fields(self.lines, self.path, self.first_line))
        if self.problems or not isinstance(root, Fields):
            raise BadFileError(*self.problems)
        return root

    def _at(self, mark: Any) -> tuple[int, int]:
        line, column = _place(mark)
        return line + self.first_line, column + 1

    def _refuse_sharing(self, event: yaml.NodeEvent) -> None:
        """Aliases make bombs and loops, tags make objects: neither has a use here."""
        line, column = self._at(event.start_mark)
        sign = "*" if isinstance(event, yaml.AliasEvent) else "&" if event.anchor else ""
        if not sign and not getattr(event, "tag", None):
            return
        fix = yaml_advice.quoted_line(self.lines[_place(event.start_mark)[0]])
        message = f"A value that begins with `{sign or '!'}` has a special meaning in YAML"
        raise refusal(self.path, message, fix, line, column)

    def _scalar(self, event: yaml.ScalarEvent) -> Text:
        line, column = self._at(event.start_mark)
        plain = event.style is None or event.style == ""
        if plain:
            start, end = _place(event.start_mark), _place(event.end_mark)
            self.problems += yaml_advice.swallowed(start, end, self.lines, self.path, self.first_line)
        return Text(event.value, line, column, plain)

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        line, column = self._at(event.start_mark)
        if len(self.stack) >= MAX_DEPTH:
            raise refusal(
                self.path,
                f"Values are nested more than {MAX_DEPTH} deep",
                "Put text with many brackets in quotes.",
                line,
                column,
            )
        mapping = isinstance(event, yaml.MappingStartEvent)
        self._check_key_is_text(line, column)
        self.stack.append(_Open(line, column, mapping, [], None, {}, {}))

    def _check_key_is_text(self, line: int, column: int) -> None:
        top = self.stack[-1] if self.stack else None
        if top is not None and top.mapping and top.key is None:
            raise refusal(
                self.path,
                "A field name is missing before this bracket",
                "Write the field as `name: value`.",
                line,
                column,
            )

    def _end(self) -> None:
        done = self.stack.pop()
        node: Node
        if done.mapping:
            node = Fields(done.keys, done.fields, done.line, done.column)
        else:
            node = Items(tuple(done.values), done.line, done.column)
        self._add(node)

    def _add(self, node: Node) -> None:
        if not self.stack:
            self.roots.append(node)
            return
        top = self.stack[-1]
        if not top.mapping:
            top.values.append(node)
        elif top.key is None:
            assert isinstance(node, Text)  # _check_key_is_text let nothing else pass
            top.key = node
        else:
            self._set(top, top.key, node)
            top.key = None

    def _set(self, top: _Open, key: Text, node: Node) -> None:
        name = clean(key.value).strip()
        if name in top.keys:
            first = top.keys[name]
            message = f"`{name}` is written twice, on line {first.line} and on line {key.line}"
            fix = "Delete one of the two lines."
            self.problems.append(Problem(self.path, message, fix, key.line, key.column, field=name))
            return
        top.keys[name] = key
        top.fields[name] = node
