"""The name-paired vectors: `x.document.json` becomes `x.rss.xml`, `x.atom.xml` and `x.feed.json`.

A new case is a new input file. `PYTHONPATH=src python -m tests.feeds.vectors` writes the outputs
anew; read the difference before keeping it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from dramafeed.feeds import (
    FeedAuthor,
    FeedDocument,
    FeedEntry,
    FeedImage,
    FeedReplies,
    FeedUrls,
    atom,
    json_feed,
    rss,
)

FOLDER = Path(__file__).parent.parent / "testdata" / "feeds"
FORMATS: dict[str, Callable[[FeedDocument], bytes]] = {
    ".rss.xml": rss,
    ".atom.xml": atom,
    ".feed.json": json_feed,
}
NAMES = sorted(path.name.removesuffix(".document.json") for path in FOLDER.glob("*.document.json"))


def load(name: str) -> FeedDocument:
    """The input of one vector."""
    return document_from(json.loads((FOLDER / f"{name}.document.json").read_text("utf-8")))


def document_from(values: dict[str, Any]) -> FeedDocument:
    """A document from its members as JSON writes them."""
    return FeedDocument(
        **values
        | {
            "self_urls": FeedUrls(**values["self_urls"]),
            "created": datetime.fromisoformat(values["created"]),
            "entries": tuple(_entry(entry) for entry in values.get("entries", [])),
            "authors": tuple(FeedAuthor(**author) for author in values.get("authors", [])),
            "links": tuple((rel, FeedUrls(**urls)) for rel, urls in values.get("links", [])),
        }
    )


def _entry(values: dict[str, Any]) -> FeedEntry:
    return FeedEntry(
        **values
        | {
            "published": datetime.fromisoformat(values["published"]),
            "updated": datetime.fromisoformat(values["updated"]),
            "authors": tuple(FeedAuthor(**author) for author in values.get("authors", [])),
            "categories": tuple(values.get("categories", [])),
            "image": FeedImage(**values["image"]) if "image" in values else None,
            "replies": FeedReplies(**values["replies"]) if "replies" in values else None,
        }
    )


if __name__ == "__main__":
    for vector in NAMES:
        for suffix, render in FORMATS.items():
            (FOLDER / f"{vector}{suffix}").write_bytes(render(load(vector)))
