"""What a writer's text says: Markdown becomes tokens, and spoiler passages find their place.

The only importer of markdown-it. Knows Obsidian's links, the `:::spoiler` marks and footnotes; will not
make HTML.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.footnote import footnote_plugin

from .names import clean


class Surface(StrEnum):
    """Where a body is shown."""

    PAGE = "page"
    FEED = "feed"
    FEDIVERSE = "fediverse"
    PLAIN = "plain"


def target_key(target: str) -> tuple[str, str]:
    """A target as a writer means it, and its fragment: `my%20review.md#cast` -> (`my review.md`,
    `cast`). Links and pictures are looked up under the first."""
    path, _, fragment = clean(unquote(target)).partition("#")
    return path.strip(), fragment.strip()


# ---------------------------------------------------------------------------- parsing


def parse(body: str) -> list[Token]:
    """The tokens of a Markdown body, Obsidian's `[[...]]` and `![[...]]` included."""
    env: dict[str, Any] = {}
    tokens = MARKDOWN.parse(_SPACED.sub(r"\1<\2>\3", clean(body)), env)
    for token in tokens:
        if token.type == "footnote_open" and token.meta.get("label") in env["spoiled"]:
            token.meta["spoiled"] = True
    return tokens


# `[text](my review.md)`: CommonMark wants <> around a target with spaces, writers do not know that.
_SPACED = re.compile(
    r"(\]\()"
    r"([^()<>\n\"]*[^()<>\n\" ] [^()<>\n\"]*"
    r"\.(?:md|txt|jpe?g|png|gif|webp|avif)(?:#[^()<>\n\"]*)?)"
    r"((?: +\"[^\"\n]*\")?\))",
    re.IGNORECASE,
)
# `[[1]](https://...)` is a link of Markdown, not of Obsidian.
_WIKI = re.compile(
    r"(!?)\[\[([^\[\]\n|]+?)(?:\\?\|([^\[\]\n]*))?\]\](?!\()"
)  # [[1]](https://...) is a link of Markdown
PICTURE_NAME = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp|tiff?|heic|heif|svg)$", re.IGNORECASE)


def _wiki_link(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "![":
        return False
    match = _WIKI.match(state.src, state.pos)
    if match is None:
        return False
    if not silent:
        target, label = match[2].strip(), (match[3] or "").strip()
        is_picture = bool(match[1]) and bool(PICTURE_NAME.search(target_key(target)[0]))
        if is_picture:
            token = state.push("image", "img", 0)
            alt = "" if re.fullmatch(r"\d+(x\d+)?", label) else label
            token.attrs = {"src": target, "alt": alt}
            token.content = alt
        else:
            shown = label or target_key(target)[0].rsplit("/", 1)[-1].removesuffix(".md")
            state.push("link_open", "a", 1).attrs = {"href": target}
            state.push("text", "", 0).content = shown
            state.push("link_close", "a", -1)
    state.pos = match.end()
    return True


def _is_spoiler(params: str, _markup: str = "") -> bool:
    return params.strip().split(" ", 1)[0].casefold() in ("spoiler", "spoilers")


def _note_spoiled_footnotes(state: StateCore) -> None:
    """Remembers the footnotes whose text stands inside a spoiler passage."""
    state.env["spoiled"] = {
        token.meta["label"]
        for token, depth in _with_depth(state.tokens)
        if depth and token.type == "footnote_reference_open"
    }


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.use(footnote_plugin)
    parser.use(container_plugin, "spoiler", validate=_is_spoiler)
    parser.inline.ruler.before("link", "wiki_link", _wiki_link)
    parser.core.ruler.before("footnote_tail", "spoiled_footnotes", _note_spoiled_footnotes)
    return parser


MARKDOWN = _make_parser()

# ---------------------------------------------------------------------------- spoilers, footnotes


@dataclass
class _Notes:
    """Footnotes by id, those written inside a spoiler passage, and the order of their numbers."""

    items: dict[int, list[Token]] = field(default_factory=dict)
    spoiled: set[int] = field(default_factory=set)
    numbers: dict[int, int] = field(default_factory=dict)

    def number(self, note: int) -> int:
        """The number shown for a footnote; it is given out at the first question."""
        return self.numbers.setdefault(note, len(self.numbers) + 1)


def arrange_spoilers(tokens: list[Token], surface: Surface) -> list[Token]:
    """Folds spoiler passages on the page and takes them out everywhere else.

    A footnote that only a spoiler passage refers to goes where the passage goes.
    """
    main, notes = _split_notes(tokens)
    outside = _refer(_outside_spoilers(main), notes, public=True)
    if surface is not Surface.PAGE:
        kept = list(_without_spoilers(main, surface))
        return kept if surface is Surface.PLAIN else kept + _note_list(notes, outside)
    shown = set(outside)
    result: list[Token] = []
    passage: list[Token] = []
    for token, depth in _with_depth(main):
        result.append(token)
        passage.append(token)
        if token.type == "container_spoiler_open" and depth == 1:
            passage = []
        elif token.type == "container_spoiler_close" and depth == 0:
            inside = [note for note in _refer(passage, notes, public=False) if note not in shown]
            shown.update(inside)
            result[-1:-1] = _note_list(notes, inside)
    return result + _note_list(notes, outside)


def _split_notes(tokens: list[Token]) -> tuple[list[Token], _Notes]:
    notes = _Notes()
    main: list[Token] = []
    current: list[Token] | None = None
    for token in tokens:
        if token.type == "footnote_open":
            current = notes.items.setdefault(token.meta["id"], [])
            if token.meta.get("spoiled"):
                notes.spoiled.add(token.meta["id"])
        elif token.type == "footnote_close":
            current = None
        elif token.type == "footnote_anchor" or token.type.startswith("footnote_block"):
            continue
        else:
            (main if current is None else current).append(token)
    return main, notes


def _with_depth(tokens: Sequence[Token]) -> Iterator[tuple[Token, int]]:
    """Each token with the number of spoiler passages that are open behind it."""
    depth = 0
    for token in tokens:
        if token.type.startswith("container_spoiler"):
            depth += token.nesting
        yield token, depth


def _outside_spoilers(tokens: Sequence[Token]) -> list[Token]:
    return [token for token, depth in _with_depth(tokens) if depth == 0]


def _refer(tokens: Sequence[Token], notes: _Notes, *, public: bool) -> list[int]:
    """Numbers the footnotes that `tokens` refer to, and those that these refer to."""
    found: dict[int, None] = {}
    queue = deque(tokens)
    while queue:
        token = queue.popleft()
        for child in token.children or []:
            note = child.meta["id"] if child.type == "footnote_ref" else None
            if note is None or (public and note in notes.spoiled):
                continue
            child.meta["number"] = notes.number(note)
            if note not in found:
                found[note] = None
                queue.extend(notes.items.get(note, []))
    return list(found)


def _note_list(notes: _Notes, shown: list[int]) -> list[Token]:
    result: list[Token] = []
    for note in sorted(shown, key=notes.number):
        meta = {"number": notes.number(note)}
        result.append(Token("note_open", "li", 1, meta=meta))
        result.extend(notes.items.get(note, []))
        result.append(Token("note_close", "li", -1))
    if not result:
        return []
    start = min(notes.number(note) for note in shown)
    opening = Token("notes_open", "ol", 1, attrs={"start": start} if start > 1 else {}, block=True)
    return [opening, *result, Token("notes_close", "ol", -1, block=True)]


def _without_spoilers(tokens: Sequence[Token], surface: Surface) -> Iterator[Token]:
    for token, depth in _with_depth(tokens):
        if token.type == "container_spoiler_open" and depth == 1:
            if surface is not Surface.PLAIN:
                yield Token("spoiler_line", "", 0, block=True)
        elif depth == 0 and token.type != "container_spoiler_close":
            yield token


def plain_passages(text: str) -> Iterator[tuple[bool, str]]:
    """A plain text in passages: (is it a spoiler, its text)."""
    lines: list[str] = []
    spoiler = False
    for line in text.split("\n"):
        mark = re.fullmatch(r"\s*:{3,}(.*)", line)
        if mark and ((not spoiler and _is_spoiler(mark[1])) or (spoiler and not mark[1].strip())):
            yield spoiler, "\n".join(lines)
            lines, spoiler = [], not spoiler
        else:
            lines.append(line)
    yield spoiler, "\n".join(lines)
