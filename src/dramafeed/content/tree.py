"""The content folder as a list of files: a pass over names and times, nothing is opened.

Knows which names are never content (temporary files of editors, conflict copies), what a file is by
its place, and that nothing outside the folder may be reached through it. Will not parse anything.
"""

from __future__ import annotations

import os
import re
import stat as stat_bits
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath

from dramafeed.model import Problem, Severity

from .front_matter import MAX_FILE

MAX_DEPTH = 12
_FEW = 500  # changed files above which a whole pass is not dearer
Stat = tuple[int, int, int, int]  # mtime in ns, size, inode, ctime in ns


class FileKind(StrEnum):
    """What a file is, by its place and its extension."""

    SITE = "site"
    AUTHOR = "author"
    DRAMA = "drama"
    REVIEW = "review"
    PAGE = "page"
    PICTURE = "picture"
    STRAY = "stray"  # looks meant for publication, but would not be published
    OTHER = "other"


CONTENT = frozenset({FileKind.SITE, FileKind.AUTHOR, FileKind.DRAMA, FileKind.REVIEW, FileKind.PAGE})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its path in the folder (NFC, `/`), the folder, its state, and what it is.

    `elsewhere` is where it really is when that is not at its path: behind a link, or under a name in NFD.
    """

    path: str
    home: str
    stat: Stat
    kind: FileKind
    elsewhere: str = ""

    @property
    def real(self) -> str:
        """The absolute name to open."""
        return self.elsewhere or f"{self.home}/{self.path}"


@dataclass
class Tree:
    """All files by path. `complete` is False when a folder could not be looked into.

    `changed` are the paths that came, changed or went since whoever asks asked before; None: unknown.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    kinds: dict[FileKind, dict[str, Entry]] = field(default_factory=lambda: {kind: {} for kind in FileKind})
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True
    identity: str = ""
    home: str = ""  # the folder itself, without links
    linked: bool = False  # some entries are links: their files lie elsewhere in the folder
    changed: set[str] | None = None
    capitals: set[str] = field(default_factory=set)  # paths of content that `casefold` changes

    def put(self, entry: Entry) -> None:
        """Add an entry, or replace the one of the same path."""
        self.entries[entry.path] = self.kinds[entry.kind][entry.path] = entry
        if entry.kind in CONTENT and entry.path != entry.path.casefold():
            self.capitals.add(entry.path)

    def drop(self, path: str) -> None:
        """Take an entry out."""
        entry = self.entries.pop(path, None)
        if entry is not None:
            del self.kinds[entry.kind][path]
            self.capitals.discard(path)

    def of(self, kind: FileKind) -> list[Entry]:
        """The entries of a kind, by path."""
        return [entry for _path, entry in sorted(self.kinds[kind].items())]


# ---------------------------------------------------------------------------- names

# Syncthing, Dropbox (also in German, French, Dutch and Spanish), Nextcloud, OneDrive, Google Drive.
_CONFLICT = re.compile(
    r"sync-conflict-|conflicted copy|conflict copy|\(conflict|in konflikt stehende kopie"
    r"|copie en conflit|conflictkopie|copia en conflicto|case conflict|\[conflict\]",
    re.IGNORECASE,
)
_TEMPORARY = re.compile(
    r"^\.|^~|~$|^#.*#$|\.(?:sw[opnx]|tmp|temp|part|partial|crdownload|bak|orig|rej|lock|download)$",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SYSTEM = frozenset({"thumbs.db", "desktop.ini", "__macosx", "node_modules", "lost+found"})


def is_ignored(name: str) -> bool:
    """True for files that editors, systems and synchronisers leave around."""
    return bool(_TEMPORARY.search(name) or name.casefold() in _SYSTEM or _CONFLICT.search(name))


_PICTURES = frozenset(
    # The last three are refused, with the reason; they are pictures all the same.
    ("jpg", "jpeg", "png", "gif", "webp", "avif", "bmp", "tif", "tiff", "heic", "heif", "svg")
)
_DOCUMENTS = frozenset(("docx", "doc", "odt", "rtf", "pages"))
_STRAY_TEXTS = _DOCUMENTS | frozenset(
    ("md", "txt", "markdown", "mkd", "text", "yaml", "yml", "html", "htm", "pdf", "tex", "rst")
)
_FOLDERS = {
    "authors": (FileKind.AUTHOR, ("md",)),
    "dramas": (FileKind.DRAMA, ("yaml", "yml")),
    "pages": (FileKind.PAGE, ("md",)),
    "reviews": (FileKind.REVIEW, ("md", "txt")),
}


def classify(path: str) -> FileKind:
    """What the file at `path` is."""
    *folders, name = path.split("/")
    stem, _, extension = name.rpartition(".")
    extension = extension.lower() if stem else ""
    if extension in _PICTURES:
        return FileKind.PICTURE
    if not folders and name.lower() in ("site.yaml", "site.yml"):
        return FileKind.SITE
    kind, extensions = _FOLDERS.get(folders[0] if folders else "", (FileKind.OTHER, ()))
    if extension in extensions and (
        len(folders) == 1 or (kind is FileKind.REVIEW and len(folders) == 2 and stem.lower() == "index")
    ):
        return kind
    if extension in _STRAY_TEXTS and name.casefold() not in ("readme.md", "readme.txt"):
        return FileKind.STRAY
    if not extension and kind is FileKind.REVIEW:
        return FileKind.STRAY
    return FileKind.OTHER


def stray_problem(path: str) -> Problem:
    """Why a file that looks like a text is not published, and how it would be."""
    place = PurePosixPath(path)
    extension = place.suffix.lower()
    severity = Severity.WARNING
    top = place.parts[0]
    if extension[1:] in _DOCUMENTS:
        fix = f"Open it, choose Save as, and save it as plain text: {place.stem}.txt"
        message, severity = "Documents of word processors are not read", Severity.ERROR
    elif top.casefold() in _FOLDERS and top not in _FOLDERS:
        message, fix = f"The folder is called {top}", f"Rename it to {top.lower()}."
    elif top == "reviews" and len(place.parts) > 2 and extension in (".md", ".txt"):
        message = "Only a file named index is published from a folder of its own"
        fix = f"Rename it to index{extension}, or move it to reviews/{place.name}."
    elif top in _FOLDERS:
        wanted = " or ".join(f".{extension}" for extension in _FOLDERS[top][1])
        message, fix = f"Files in {top}/ have names that end in {wanted}", "Rename it or move it."
    else:
        message, fix = "The file is in no folder that is published", "Move it to reviews/."
    return Problem(path, message, fix, severity=severity)


# ---------------------------------------------------------------------------- the pass


def scan(root: Path, before: Tree | None = None) -> Tree:
    """Looks through the folder for all files that are not ignored.

    Never raises for what it finds: links that lead out of the folder and odd files become problems,
    and a folder that cannot be read makes the tree incomplete.

    Args:
        root: the content folder.
        before: an earlier tree of the same folder, to tell what changed.
    """
    try:
        home = root.resolve(strict=True)
        tree = Tree(identity=_identity(home), home=str(home))
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        return Tree(complete=False)
    _walk(tree, str(home), "", home, 0)
    if before is not None:
        tree.changed = differing(before, tree)
    return tree


def differing(before: Tree, after: Tree) -> set[str]:
    """The paths of the files that are not the same in two trees."""
    changed = {path for path, entry in after.entries.items() if before.entries.get(path) != entry}
    return changed | (before.entries.keys() - after.entries.keys())


def _identity(home: Path) -> str:
    """Device and inode of the folder: a replaced or unmounted one has others."""
    state = home.stat()
    return f"{state.st_dev}:{state.st_ino}"


def update(tree: Tree, changed: Iterable[str]) -> set[str] | None:
    """Brings a tree up to date after some files changed; their paths, or None when only `scan` can tell.

    Looks at nothing but the files named, so that it costs the same in a large folder. Whatever is not an
    ordinary file at an ordinary place (folders, links, names that Unicode can write in several ways) is left
    to `scan`.

    Args:
        tree: changed in place.
        changed: absolute names, as the system told them.
    """
    names = list(changed)
    if tree.linked or tree.problems or not tree.complete or len(names) > _FEW:
        return None
    states: dict[str, Entry | None] = {}
    try:
        if _identity(Path(tree.home)) != tree.identity:
            return None
        for name in names:
            path = name.removeprefix(f"{tree.home}/")
            if any(is_ignored(part) for part in path.split("/")):
                continue
            if path == name or not _is_ordinary(path):
                return None
            states[path] = _look_at(tree, path, name)
    except OSError:
        return None  # a folder came, went or cannot be looked into
    moved = {path for path, state in states.items() if state != tree.entries.get(path)}
    for path in moved:
        state = states[path]
        if state is None:
            tree.drop(path)
        else:
            tree.put(state)
    return moved


def _is_ordinary(path: str) -> bool:
    plain = _is_unicode(path) and not _CONTROL.search(path)
    return plain and _nfc(path) == path and path.count("/") <= MAX_DEPTH


def _look_at(tree: Tree, path: str, name: str) -> Entry | None:
    """The file as it is now, or None when it is gone.

    Raises:
        OSError: it is no ordinary file, or was a folder.
    """
    try:
        state = os.lstat(name)
    except FileNotFoundError:
        if path not in tree.entries and any(other.startswith(f"{path}/") for other in tree.entries):
            raise
        return None
    if not stat_bits.S_ISREG(state.st_mode):
        raise IsADirectoryError(name)
    return Entry(path, tree.home, _stat_of(state), classify(path))


def _walk(tree: Tree, folder: str, prefix: str, home: Path, depth: int) -> None:
    try:
        with os.scandir(folder) as found:
            children = sorted(found, key=lambda child: child.name)
    except FileNotFoundError:
        tree.complete = tree.complete and depth > 0  # a folder that was just deleted is no secret
        return
    except OSError:
        tree.complete = False
        return
    for child in children:
        if is_ignored(child.name):
            continue
        path = prefix + _nfc(child.name)
        try:
            _visit(tree, child, path, home, depth)
        except FileNotFoundError:
            continue  # deleted while we looked
        except OSError as error:
            _refuse(tree, path, f"The file cannot be read ({error.strerror})", "Check its rights.")


def _visit(tree: Tree, child: os.DirEntry[str], path: str, home: Path, depth: int) -> None:
    if not _is_unicode(child.name):
        shown = path.encode(errors="replace").decode()
        _refuse(tree, shown, "The name of this file is not UTF-8", "Rename it.")
    elif _CONTROL.search(child.name):
        # It would break lines, or colour them, wherever it is printed.
        shown = _CONTROL.sub("?", path)
        _refuse(
            tree, shown, "The name of this file holds a line end or another control character", "Rename it."
        )
    elif child.is_symlink():
        _visit_link(tree, child, path, home)
    elif child.is_dir(follow_symlinks=False):
        if depth < MAX_DEPTH:
            _walk(tree, child.path, f"{path}/", home, depth + 1)
    else:
        _add(tree, path, child.path, child.stat(follow_symlinks=False))


def _visit_link(tree: Tree, child: os.DirEntry[str], path: str, home: Path) -> None:
    try:
        target = Path(child.path).resolve(strict=True)
    except (OSError, RuntimeError):
        _refuse(tree, path, "This link leads nowhere", "Put the file itself here.")
        return
    tree.linked = True
    if not target.is_relative_to(home):
        _refuse(tree, path, "This link leads out of the content folder",
                "Put a copy of the file here.")  # fmt: skip
    elif target.is_dir():
        _refuse(tree, path, "Links to folders are not followed", "Put the folder itself here.")
    else:
        _add(tree, path, str(target), target.stat())


def _add(tree: Tree, path: str, real: str, state: os.stat_result) -> None:
    if not stat_bits.S_ISREG(state.st_mode):
        _refuse(tree, path, "This is no ordinary file", "Delete it.")
        return
    if path in tree.entries:
        message = "Another file has the same name, written with other code points"
        _refuse(tree, path, message, "Rename one of the two.")
        return
    elsewhere = "" if real == f"{tree.home}/{path}" else real
    tree.put(Entry(sys.intern(path), tree.home, _stat_of(state), classify(path), elsewhere))


def _stat_of(state: os.stat_result) -> Stat:
    # The last one grows even when a tool sets the first one back, as synchronisers do.
    return state.st_mtime_ns, state.st_size, state.st_ino, state.st_ctime_ns


def _refuse(tree: Tree, path: str, message: str, fix: str) -> None:
    tree.problems.append(Problem(path, message, fix))


def _nfc(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _is_unicode(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read(entry: Entry) -> bytes | None:
    """The bytes of a file, or None when it changed since the pass (it is still being written).

    Raises:
        OSError: it cannot be read.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.open(entry.real, flags)
    with os.fdopen(handle, "rb") as file:
        data = file.read(MAX_FILE + 1)
        state = os.fstat(file.fileno())
    if not stat_bits.S_ISREG(state.st_mode):
        return None
    return data if _stat_of(state) == entry.stat else None


def twins(tree: Tree) -> dict[str, str]:
    """Content files whose names differ only in case from an earlier one: path -> earlier path."""
    groups: dict[str, set[str]] = {}
    for path in tree.capitals:
        groups.setdefault(path.casefold(), set()).add(path)
    for folded, paths in groups.items():
        if folded in tree.entries:
            paths.add(folded)
    later: dict[str, str] = {}
    for group in groups.values():
        first, *others = sorted(group)
        later.update(dict.fromkeys(others, first))
    return later
