"""A content folder on disk that tests write into, and read as the library does."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from dramafeed.content import LibraryReader
from dramafeed.model import Library, Site

NOON = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)

REVIEW = """---
title: "Rain Over Seoul"
author: mina
---
A quiet series. It takes its time.
"""
AUTHOR = "---\nname: Mina Peeters\n---\nWrites about quiet series, mostly at night.\n"
PLAIN = """Photo credits: Some Channel

[Review] Rain Over Seoul

Today we’re looking at ‘Rain Over Seoul‘, which we’d been waiting for.

It’s about two neighbours, and about the rain.

Mina Peeters
Writes about quiet series, mostly at night.
"""


def picture_bytes(size: tuple[int, int] = (40, 30), colour: str = "navy", kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


class Folder:
    """One content folder and its reader; `now` stands still unless a test moves it."""

    def __init__(self, base: Path, settle_seconds: float = 0) -> None:
        self.root = base / "content"
        self.media = base / "media"
        self.root.mkdir(parents=True, exist_ok=True)
        self.reader = LibraryReader(self.root, self.media, settle_seconds=settle_seconds)
        self.now = NOON
        self._writes = 0

    def write(self, path: str, content: str | bytes, *, age: float = 3600) -> Path:
        """Writes a file whose last change lies `age` seconds before `now`."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        self._writes += 1  # no two writes have the same time, whatever the file system's clock does
        stamp = int((self.now - timedelta(seconds=age)).timestamp() * 1e9) + self._writes
        os.utime(file, ns=(stamp, stamp))
        return file

    def load(self, *, fallback_site: Site | None = None) -> Library:
        return self.reader.load(now=self.now, fallback_site=fallback_site)

    def problems(self) -> list[str]:
        return [str(problem) for problem in self.load().problems]

    def review(self, path: str = "reviews/rain.md"):  # type: ignore[no-untyped-def]
        library = self.load()
        assert path in library.reviews, [str(p) for p in library.problems]
        return library.reviews[path]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with one author, so that reviews have somebody to be by."""
    made = Folder(tmp_path)
    made.write("authors/mina.md", AUTHOR)
    return made


@pytest.fixture
def new_folder(tmp_path: Path) -> Callable[..., Folder]:
    """Makes folders with other settings."""

    def make(name: str = "other", settle_seconds: float = 0) -> Folder:
        return Folder(tmp_path / name, settle_seconds)

    return make
