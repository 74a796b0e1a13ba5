"""OPML 2.0 subscription lists (https://opml.org/spec2.opml)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from .document import Outline, instant, line

OPML_TYPE = "text/x-opml; charset=utf-8"


def opml(title: str, outlines: Iterable[Outline], updated: datetime | None = None) -> bytes:
    """A list of feeds that readers import in one go; `updated` is the last change of the list."""
    root = Element("opml", version="2.0")
    head = SubElement(root, "head")
    SubElement(head, "title").text = line(title)
    if updated:
        SubElement(head, "dateModified").text = format_datetime(instant(updated, "updated"))
    body = SubElement(root, "body")
    for outline in outlines:
        _add(body, outline)
    indent(root)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add(parent: Element, outline: Outline) -> None:
    attributes = {"text": outline.text}
    if outline.xml_url:
        # "rss" is the type of every feed, whatever its format (OPML 2.0, "Subscription lists"). A
        # group has no type, and then must have no title or URL either.
        attributes |= {"type": "rss", "title": outline.text, "xmlUrl": outline.xml_url}
        attributes |= {
            name: value
            for name, value in (
                ("htmlUrl", outline.html_url),
                ("description", outline.description),
                ("language", outline.language),
            )
            if value
        }
    element = SubElement(parent, "outline", attributes)
    for child in outline.children:
        _add(element, child)
