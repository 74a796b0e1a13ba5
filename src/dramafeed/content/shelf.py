"""Finds the file that a writer means by a link, an embedded picture or `image: file`.

Names are looked up as Obsidian and people do: beside the file first, then from the content folder,
then anywhere by bare name; letters' case and Unicode form do not matter. Will not open files.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from functools import cached_property

from .names import name_key, nearest, slugify
from .tree import CONTENT, FileKind, Tree

_TEXTS = ("", ".md", ".txt", "/index.md", "/index.txt")
_PREFERRED = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif")


class Shelf:
    """All files of one state of the folder, ready to be looked up. Its indexes are made when they are needed.

    Args:
        tree: the files.
        titles: gives (path, slug, title) of every readable review.
    """

    def __init__(
        self,
        tree: Tree,
        titles: Callable[[], Iterable[tuple[str, str, str]]],
    ) -> None:
        self._tree = tree
        self._entries = tree.entries
        self._read_titles = titles

    @cached_property
    def _titles(self) -> list[tuple[str, str, str]]:
        return sorted(self._read_titles())

    @cached_property
    def _any_case(self) -> dict[str, str]:
        return {name_key(path): path for path in sorted(self._entries, reverse=True)}

    @cached_property
    def _pictures(self) -> dict[str, str]:
        """Pictures by bare name; the one nearest to the top wins."""
        found: dict[str, str] = {}
        paths = self._tree.kinds[FileKind.PICTURE]
        for path in sorted(paths, key=lambda p: (p.count("/"), p)):
            found.setdefault(name_key(posixpath.basename(path)), path)
        return found

    @cached_property
    def _reviews(self) -> dict[str, str]:
        """Reviews by file name, folder name, slug and title."""
        found: dict[str, str] = {}
        for path, slug, title in self._titles:
            for name in (own_name(path), slug, title):
                found.setdefault(name_key(name), path)
        return found

    @cached_property
    def _beside(self) -> dict[str, str]:
        """Pictures by path without extension, the most usual format first."""
        found: dict[str, str] = {}
        for path in sorted(self._tree.kinds[FileKind.PICTURE]):
            stem, extension = posixpath.splitext(path)
            if extension.lower() in _PREFERRED:
                known = found.get(stem)
                if known is None or _rank(path) < _rank(known):
                    found[stem] = path
        return found

    def beside(self, path: str) -> str | None:
        """The picture of the same name beside a review (for an index, also of its folder)."""
        stem = posixpath.splitext(path)[0]
        found = self._beside.get(stem)
        if found is None and path.count("/") == 2:
            folder = posixpath.dirname(path)
            found = self._beside.get(f"{folder}/{posixpath.basename(folder)}")
        return found

    def picture(self, name: str, origin: str) -> str | None:
        """The path of the picture that `name` means in the file `origin`."""
        for path in self._candidates(name, origin, ("",)):
            if self._entries[path].kind is FileKind.PICTURE:
                return path
        return self._pictures.get(name_key(posixpath.basename(name)))

    def content(self, name: str, origin: str) -> str | None:
        """The path of the content file that a link to `name` means in the file `origin`."""
        for path in self._candidates(name, origin, _TEXTS):
            if self._entries[path].kind in CONTENT:
                return path
        bare = posixpath.basename(name.rstrip("/"))
        for extension in (".md", ".txt"):
            bare = bare.removesuffix(extension)
        return self._reviews.get(name_key(bare)) or self._reviews.get(slugify(bare))

    def _candidates(self, name: str, origin: str, endings: tuple[str, ...]) -> Iterable[str]:
        for start in (posixpath.dirname(origin), "", "reviews"):
            path = posixpath.normpath(posixpath.join(start, name))
            if path.startswith(("../", "/")) or path in (".", ".."):
                continue
            for ending in endings:
                found = self._entries.get(path + ending)
                known = found.path if found else self._any_case.get(name_key(path + ending))
                if known:
                    yield known

    def nearest_picture(self, name: str) -> str | None:
        """The existing picture whose name is closest to a wrong one."""
        names = {posixpath.basename(path) for path in self._pictures.values()}
        return nearest(posixpath.basename(name), names)

    def nearest_review(self, name: str) -> str | None:
        """The existing review whose name is closest to a wrong one."""
        names = {own_name(path) for path, _, _ in self._titles}
        return nearest(posixpath.basename(name).removesuffix(".md"), names)


def keys_offered(path: str, slug: str = "", title: str = "") -> set[str]:
    """The keys under which a file may be found: what it is called by, in the coarsest form.

    When no key that a file asks for (`keys_asked`) is offered anew or no longer, its lookups have the same
    results as before.
    """
    stem = posixpath.splitext(posixpath.basename(path))[0]
    return {name_key(name) for name in (stem, own_name(path), slug, title)} - {""}


def keys_asked(path: str, names: Iterable[str]) -> set[str]:
    """The keys that decide what the file at `path` finds: for the picture beside it, and for names in it."""
    keys = keys_offered(path)
    for name in names:
        bare = posixpath.basename(name.rstrip("/"))
        for each in (bare, posixpath.splitext(bare)[0], bare.removesuffix(".md").removesuffix(".txt")):
            keys |= {name_key(each), slugify(each)}
    return keys - {""}


def own_name(path: str) -> str:
    """What a review file is called: its stem, or its folder's name for index files."""
    folder, name = posixpath.split(path)
    stem = posixpath.splitext(name)[0]
    if stem.lower() == "index" and folder.count("/") == 1:
        return posixpath.basename(folder)
    return stem


def _rank(path: str) -> int:
    return _PREFERRED.index(posixpath.splitext(path)[1].lower())
