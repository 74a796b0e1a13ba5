"""Bodies become HTML for the page, the feeds and the fediverse, or plain text for summaries.

The text is parsed once per call, the tokens are arranged for the surface (spoiler passages leave
everything but the page), and what comes out passes a sanitiser with a closed list of tags. Raw HTML
of a writer is shown as text. Will not read files: targets of links and pictures come resolved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it.token import Token

from dramafeed.model import BodyFormat, Picture

from .markdown_source import MARKDOWN, Surface, arrange_spoilers, parse, plain_passages, target_key
from .names import clean, slugify


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
    tokens = arrange_spoilers(parse(body), surface)
    if surface is Surface.PLAIN:
        return "\n\n".join(_paragraphs(tokens))
    tokens = [done for token in tokens for done in _arrange(token, view)]
    tokens = _figures(tokens) if surface is not Surface.FEDIVERSE else _simplify(tokens)
    if surface is Surface.PAGE:
        _add_heading_ids(tokens)
    html = MARKDOWN.renderer.render(tokens, MARKDOWN.options, {"view": view})
    return _sanitise(html, surface)


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
    if url and not linked:  # a picture elsewhere is never loaded into the reader's page, only linked
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
for _name, _rule in _RULES.items():
    MARKDOWN.add_render_rule(_name, _rule)

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
