"""Says whether HTML is harmless, by reading it as a browser does (lxml), not by searching text."""

from __future__ import annotations

import lxml.html

TAGS = {
    "p",
    "br",
    "a",
    "strong",
    "em",
    "s",
    "code",
    "pre",
    "blockquote",
    "ul",
    "ol",
    "li",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "sup",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "img",
    "figure",
    "figcaption",
    "details",
    "summary",
    "div",
    "body",
    "span",
}
ATTRIBUTES = {"href", "src", "alt", "width", "height", "loading", "id", "class", "start"}


def check_safe(html: str) -> None:
    """Fails when `html` holds a tag, attribute or address that it must not."""
    for element in lxml.html.fromstring(f"<div>{html}</div>").iter():
        assert element.tag in TAGS, html
        assert set(element.attrib) <= ATTRIBUTES, html
        for name in ("href", "src"):
            target = element.get(name, "#").strip().lower()
            assert target.startswith(("https://", "http://", "mailto:", "#")), html
