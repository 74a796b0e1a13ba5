"""Bodies become HTML for the page, the feeds and the fediverse, or plain text for summaries.

The text is parsed once per call, the tokens are arranged for the surface (spoiler passages leave
everything but the page), and what comes out passes a sanitiser with a closed list of tags. Raw HTML
of a writer is shown as text. Will not read files: targets of links and pictures come resolved.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import Any
from urllib.parse import unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.container import container_plugin
from mdit_py_plugins.footnote import footnote_plugin

from dramafeed.model import BodyFormat, Picture

from .names import clean, slugify
from .sentences import first_sentences

__all__ = ["Surface", "Token", "first_sentences", "parse", "render", "target_key"]


class Surface(StrEnum):
    """Where a body is shown."""

    PAGE = "page"
    FEED = "feed"
    FEDIVERSE = "fediverse"
    PLAIN = "plain"


@dataclass(frozen=True)
class _View:
    """All that decides how one body looks on one surface."""

    surface: Surface
    links: Mapping[str, str]
    pictures: Mapping[str, tuple[str, Picture]]
    page_url: str
    base_url: str


def render(
    body: str,
    body_format: BodyFormat,
    surface: Surface,
    *,
    links: Mapping[str, str] | None = None,
    pictures: Mapping[str, tuple[str, Picture]] | None = None,
    page_url: str = "",
    base_url: str = "",
) -> str:
    """Renders a body for one surface. The same arguments always give the same text.

    Args:
        body: Markdown, or paragraphs of plain text.
        body_format: which of the two.
        surface: PAGE, FEED and FEDIVERSE give safe HTML, PLAIN gives text (not escaped).
        links: target as written (see `target_key`) -> absolute URL. A relative target that is
            not there loses its link and keeps its words.
        pictures: target as written -> (absolute URL, picture). Others show their alt text.
        page_url: where the line leads that stands for a spoiler passage.
        base_url: in front of targets such as `/about/`.
    """
    view = _View(surface, links or {}, pictures or {}, page_url, base_url)
    if body_format is BodyFormat.PLAIN:
        return _render_plain_body(body, view)
    tokens = _arrange_spoilers(parse(body), view)
    if surface is Surface.PLAIN:
        return "\n\n".join(_paragraphs(tokens))
    tokens = [done for token in tokens for done in _arrange(token, view)]
    tokens = _figures(tokens) if surface is not Surface.FEDIVERSE else _simplify(tokens)
    if surface is Surface.PAGE:
        _add_heading_ids(tokens)
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {"view": view})
    return _sanitise(html, surface)


def target_key(target: str) -> tuple[str, str]:
    """A target as a writer means it, and its fragment: `my%20review.md#cast` -> (`my review.md`,
    `cast`). Links and pictures are looked up under the first."""
    path, _, fragment = clean(unquote(target)).partition("#")
    return path.strip(), fragment.strip()


# ---------------------------------------------------------------------------- parsing


def parse(body: str) -> list[Token]:
    """The tokens of a Markdown body, Obsidian's `[[...]]` and `![[...]]` included."""
    env: dict[str, Any] = {}
    tokens = _MARKDOWN.parse(_SPACED.sub(r"\1<\2>\3", clean(body)), env)
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
_WIKI = re.compile(r"(!?)\[\[([^\[\]\n|]+?)(?:\\?\|([^\[\]\n]*))?\]\]")
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
    for name, rule in _RULES.items():
        parser.add_render_rule(name, rule)
    return parser


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


def _arrange_spoilers(tokens: list[Token], view: _View) -> list[Token]:
    """Folds spoiler passages on the page and takes them out everywhere else.

    A footnote that only a spoiler passage refers to goes where the passage goes.
    """
    main, notes = _split_notes(tokens)
    outside = _refer(_outside_spoilers(main), notes, public=True)
    if view.surface is not Surface.PAGE:
        kept = list(_without_spoilers(main, view))
        return kept if view.surface is Surface.PLAIN else kept + _note_list(notes, outside)
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


def _without_spoilers(tokens: Sequence[Token], view: _View) -> Iterator[Token]:
    for token, depth in _with_depth(tokens):
        if token.type == "container_spoiler_open" and depth == 1:
            if view.surface is not Surface.PLAIN:
                yield Token("spoiler_line", "", 0, block=True)
        elif depth == 0 and token.type != "container_spoiler_close":
            yield token


# ---------------------------------------------------------------------------- links and pictures


def _arrange(token: Token, view: _View) -> Iterator[Token]:
    if token.children:
        token.children = list(_linkify(_arrange_inline(token.children, view)))
    yield token


def _arrange_inline(children: Sequence[Token], view: _View) -> Iterator[Token]:
    """Resolves links and pictures; a link that leads nowhere leaves its words behind."""
    open_links: list[bool] = []
    for child in children:
        if child.type == "link_open":
            url = _resolve(str(child.attrs.get("href", "")), view)
            open_links.append(bool(url))
            if url:
                child.attrs = {"href": url}
                yield child
        elif child.type == "link_close":
            if open_links.pop():
                yield child
        elif child.type == "image":
            yield from _arrange_picture(child, view, linked=any(open_links))
        else:
            yield child


def _resolve(target: str, view: _View) -> str | None:
    """The absolute URL that a target means on this surface, or None."""
    try:
        scheme = urlsplit(target).scheme.lower()
    except ValueError:
        return None
    if scheme in ("http", "https", "mailto"):
        return target
    key, fragment = target_key(target)
    anchor = f"#h-{slugify(fragment)}" if slugify(fragment) else ""
    if key in view.links:
        return view.links[key] + anchor
    if key in view.pictures:
        return view.pictures[key][0]
    if not key and anchor:
        return anchor if view.surface is Surface.PAGE else _absolute(view.page_url, anchor)
    if target.startswith("/") and not target.startswith("//") and view.base_url:
        return view.base_url.rstrip("/") + target
    return None


def _absolute(url: str, anchor: str) -> str | None:
    return url + anchor if url else None


def _arrange_picture(token: Token, view: _View, *, linked: bool) -> Iterator[Token]:
    source = str(token.attrs.get("src", ""))
    alt = "".join(_texts(token.children or [])) or str(token.attrs.get("alt", "")) or token.content
    known = view.pictures.get(target_key(source)[0])
    if view.surface is Surface.FEDIVERSE:
        return  # attached to the post instead
    if known is not None:
        meta = {"url": known[0], "picture": known[1], "alt": alt}
        yield Token("picture", "img", 0, meta=meta, content=str(token.attrs.get("title", "")))
        return
    url = _resolve(source, view)
    words = Token("text", "", 0, content=alt or (source if url else ""))
    if (
        url and not linked
    ):  # a picture elsewhere is never loaded into the reader's page, only linked
        yield Token("link_open", "a", 1, attrs={"href": url})
        yield words
        yield Token("link_close", "a", -1)
    else:
        yield words


_BARE_URL = re.compile(r"https?://[^\s<>\"'`|\\^{}“”‘’「」。、]+")


def _linkify(children: Iterator[Token]) -> Iterator[Token]:
    """Bare web addresses in running text become links."""
    depth = 0
    for child in children:
        depth += child.nesting if child.type.startswith("link_") else 0
        if child.type != "text" or depth or "://" not in child.content:
            yield child
            continue
        for words, url in _split_urls(child.content):
            if url:
                yield Token("link_open", "a", 1, attrs={"href": url})
            yield Token("text", "", 0, content=words)
            if url:
                yield Token("link_close", "a", -1)


def _split_urls(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces: (words, "") or (address, address)."""
    position = 0
    for match in _BARE_URL.finditer(text):
        url = _without_end_marks(match[0])
        if not _has_host(url):
            continue
        if match.start() > position:
            yield text[position : match.start()], ""
        yield url, url
        position = match.start() + len(url)
    if position < len(text):
        yield text[position:], ""


def _without_end_marks(url: str) -> str:
    """A bare address without the marks of the sentence around it; brackets stay in pairs."""
    url = url.rstrip(".,;:!?…*_~")
    for opening, closing in ("()", "[]"):
        while url.endswith(closing) and url.count(closing) > url.count(opening):
            url = url[:-1].rstrip(".,;:!?…*_~")
    return url


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


# ---------------------------------------------------------------------------- page and feed


def _figures(tokens: list[Token]) -> list[Token]:
    """A picture that is alone in its paragraph becomes a figure with its title as caption."""
    result: list[Token] = []
    for index, token in enumerate(tokens):
        lonely = token.type == "inline" and _only_picture(token)
        if lonely and tokens[index - 1].type == "paragraph_open":
            result.pop()
            tokens[index + 1].hidden = True
            tokens[index + 1].type = "nothing"
            result.append(Token("figure", "figure", 0, block=True, children=[lonely]))
        else:
            result.append(token)
    return result


def _only_picture(token: Token) -> Any:
    children = [c for c in token.children or [] if c.type != "softbreak"]
    return children[0] if len(children) == 1 and children[0].type == "picture" else None


def _add_heading_ids(tokens: list[Token]) -> None:
    taken: set[str] = set()
    for index, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        base = slugify("".join(_texts(tokens[index + 1].children or []))) or "section"
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name)
        token.attrs = {"id": f"h-{name}"}


# ---------------------------------------------------------------------------- the fediverse


def _simplify(tokens: list[Token]) -> list[Token]:
    """Leaves only what every server shows: headings become bold lines, tables lines of text."""
    result: list[Token] = []
    row: list[str] = []
    table: list[str] = []
    inside = False
    for token in tokens:
        if token.type in ("table_open", "table_close"):
            inside = token.nesting == 1
            if table and not inside:
                result.append(Token("lines", "p", 0, block=True, content="\n".join(table)))
            table = []
        elif inside:
            if token.type == "inline":
                row.append("".join(_texts(token.children or [])))
            elif token.type == "tr_close":
                table.append(" | ".join(row))
                row = []
        else:
            result.append(_simple(token))
    return _without_empty_paragraphs(result)


def _simple(token: Token) -> Token:
    if token.type in ("heading_open", "heading_close"):
        return Token(token.type.replace("heading", "bold_line"), "p", token.nesting, block=True)
    if token.type in ("fence", "code_block"):
        return Token("code_lines", "p", 0, block=True, content=token.content.rstrip("\n"))
    return token


def _without_empty_paragraphs(tokens: list[Token]) -> list[Token]:
    result: list[Token] = []
    for token in tokens:
        empty = token.type == "inline" and not "".join(_texts(token.children or [])).strip()
        if empty and result and result[-1].type in ("paragraph_open", "bold_line_open"):
            result[-1].hidden, result[-1].type = True, "nothing"
            token.children, token.type = [], "nothing"
        elif result and result[-1].type == "nothing" and token.nesting == -1:
            token.hidden, token.type = True, "nothing"
        result.append(token)
    return result


# ---------------------------------------------------------------------------- plain text


def _texts(children: Sequence[Token]) -> Iterator[str]:
    """The words of inline tokens; pictures and footnote marks have none."""
    for child in children:
        if child.type in ("text", "code_inline"):
            yield child.content
        elif child.type in ("softbreak", "hardbreak"):
            yield " "


def _paragraphs(tokens: Sequence[Token]) -> Iterator[str]:
    row: list[str] | None = None
    for token in tokens:
        if token.type == "tr_open":
            row = []
        elif token.type == "tr_close" and row is not None:
            yield " | ".join(row)
            row = None
        elif token.type in ("inline", "fence", "code_block"):
            raw = "".join(_texts(token.children or [])) if token.type == "inline" else token.content
            text = " ".join(raw.split())
            if row is not None:
                row.append(text)
            elif text:
                yield text


def _render_plain_body(body: str, view: _View) -> str:
    parts: list[str] = []
    for spoiler, text in plain_passages(clean(body)):
        if not spoiler:
            parts.append(_plain_html(text) if view.surface is not Surface.PLAIN else _plain(text))
        elif view.surface is Surface.PAGE:
            parts.append(f"{_DETAILS}{_plain_html(text)}</details>\n")
        elif view.surface is not Surface.PLAIN:
            parts.append(_spoiler_line(view))
    if view.surface is Surface.PLAIN:
        return "\n\n".join(part for part in parts if part)
    return _sanitise("".join(parts), view.surface)


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


def _plain(text: str) -> str:
    return "\n\n".join(" ".join(block.split()) for block in _plain_blocks(text))


def _plain_blocks(text: str) -> list[str]:
    return [block.strip() for block in re.split(r"\n[^\S\n]*\n", text) if block.strip()]


def _plain_html(text: str) -> str:
    html: list[str] = []
    for block in _plain_blocks(text):
        lines = ["".join(_linked(line.strip())) for line in block.split("\n") if line.strip()]
        html.append(f"<p>{'<br>'.join(lines)}</p>\n")
    return "".join(html)


def _linked(line: str) -> Iterator[str]:
    for words, url in _split_urls(line):
        yield f'<a href="{escape(url)}">{escape(words)}</a>' if url else escape(words)


# ---------------------------------------------------------------------------- rules for new tokens

_Rule = Callable[[Any, Sequence[Token], int, Any, Any], str]

_DETAILS = '<details class="spoiler"><summary>Spoiler</summary>'


def _spoiler_open(_self: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    label = tokens[index].info.strip().partition(" ")[2].strip()
    return _DETAILS.replace("Spoiler<", f"Spoiler: {escape(label)}<") if label else _DETAILS


def _spoiler_line(view: _View) -> str:
    if not view.page_url:
        return "<p>A spoiler is hidden here.</p>\n"
    return f'<p><a href="{escape(view.page_url)}">Spoiler: read it on the page</a></p>\n'


def _picture(_self: Any, tokens: Sequence[Token], index: int, _options: Any, env: Any) -> str:
    meta, lazy = tokens[index].meta, env["view"].surface is Surface.PAGE
    picture: Picture = meta["picture"]
    return (
        f'<img src="{escape(meta["url"])}" alt="{escape(meta["alt"])}" width="{picture.width}"'
        f' height="{picture.height}"{" loading=lazy" if lazy else ""}>'
    )


def _figure(self: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    children = tokens[index].children or []
    caption = children[0].content
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{_picture(self, children, 0, options, env)}{below}</figure>\n"


def _note_mark(_self: Any, tokens: Sequence[Token], index: int, _options: Any, env: Any) -> str:
    number = tokens[index].meta.get("number")
    if number is None:
        return ""
    surface = env["view"].surface
    if surface is Surface.PAGE:
        back = f' id="fnref-{number}"' if not tokens[index].meta.get("subId") else ""
        return f'<sup{back}><a href="#fn-{number}">{number}</a></sup>'
    return f"<sup>{number}</sup>" if surface is Surface.FEED else f"[{number}]"


def _note_open(_self: Any, tokens: Sequence[Token], index: int, _options: Any, env: Any) -> str:
    if env["view"].surface is not Surface.PAGE:
        return "<li>"
    return f'<li id="fn-{tokens[index].meta["number"]}">'


def _bold_line(_self: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    return "<p><strong>" if tokens[index].nesting == 1 else "</strong></p>\n"


def _lines(_self: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    lines = [escape(line) for line in tokens[index].content.split("\n")]
    if tokens[index].type == "code_lines":
        return f"<p><code>{'<br>'.join(lines)}</code></p>\n"
    return f"<p>{'<br>'.join(lines)}</p>\n"


def _cell(_self: Any, tokens: Sequence[Token], index: int, _options: Any, _env: Any) -> str:
    token = tokens[index]
    side = str(token.attrs.get("style", "")).removeprefix("text-align:")
    return f'<{token.tag} class="{side}">' if side else f"<{token.tag}>"


_RULES: dict[str, _Rule] = {
    "container_spoiler_open": _spoiler_open,
    "container_spoiler_close": lambda *_: "</details>\n",
    "spoiler_line": lambda _s, _t, _i, _o, env: _spoiler_line(env["view"]),
    "picture": _picture,
    "figure": _figure,
    "footnote_ref": _note_mark,
    "note_open": _note_open,
    "bold_line_open": _bold_line,
    "bold_line_close": _bold_line,
    "code_lines": _lines,
    "lines": _lines,
    "th_open": _cell,
    "td_open": _cell,
    "nothing": lambda *_: "",
}
_MARKDOWN = _make_parser()

# ---------------------------------------------------------------------------- the second wall

_FEDIVERSE_TAGS = {"p", "br", "a", "strong", "em", "blockquote", "ul", "ol", "li", "code"}
_TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}
_FEED_TAGS = (
    _FEDIVERSE_TAGS
    | _TABLE_TAGS
    | {"h2", "h3", "h4", "h5", "h6", "hr", "pre", "s", "sup", "img", "figure", "figcaption"}
)
_PAGE_TAGS = _FEED_TAGS | {"details", "summary"}
_IMG = {"src", "alt", "width", "height"}
_SIDES = {"left", "center", "right"}
_SAFE = {
    Surface.PAGE: nh3.Cleaner(
        tags=_PAGE_TAGS,
        attributes={
            "a": {"href"}, "img": _IMG | {"loading"}, "ol": {"start"}, "li": {"id"}, "sup": {"id"},
            "h2": {"id"}, "h3": {"id"}, "h4": {"id"}, "h5": {"id"}, "h6": {"id"},
        },
        allowed_classes={"details": {"spoiler"}, "th": _SIDES, "td": _SIDES},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    ),
    Surface.FEED: nh3.Cleaner(
        tags=_FEED_TAGS,
        attributes={"a": {"href"}, "img": _IMG, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    ),
    Surface.FEDIVERSE: nh3.Cleaner(
        tags=_FEDIVERSE_TAGS,
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    ),
}  # fmt: skip
_HEADING = re.compile(r"<(/?)h([1-5])\b")


def _sanitise(html: str, surface: Surface) -> str:
    # The page's own h1 is the title: every heading of the text stands one level below.
    lowered = _HEADING.sub(lambda m: f"<{m[1]}h{int(m[2]) + 1}", html)
    return _SAFE[surface].clean(lowered)
