"""Which files count, and what is said about those that do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dramafeed.content import tree
from dramafeed.content.tree import FileKind

from .conftest import REVIEW, Folder


@pytest.mark.parametrize(
    "name",
    [".rain.md.swp", ".#rain.md", "#rain.md#", "rain.md~", "~$rain.docx", "rain.md.tmp", "rain.md.part",
     "rain.swp",
     "rain.sync-conflict-20240501-120000-ABCDEFG.md", "rain (Mina's conflicted copy 2024-05-01).md",
     "rain (conflicted copy 2024-05-01 120000).md", "rain (Case Conflict).md",
      "rain (Kopie in Konflikt).md.bak",
     "rain (In Konflikt stehende Kopie von Mina 2024-05-01).md", "rain [Conflict].md",
      ".syncthing.rain.md.tmp",
     "rain.md.crdownload", "Thumbs.db", "desktop.ini", ".DS_Store", "._rain.md"],
)  # fmt: skip
def test_leftovers_are_ignored(folder: Folder, name: str) -> None:
    """Temporary files of editors and conflict copies of synchronisers are not even mentioned."""
    folder.write(f"reviews/{name}", REVIEW)
    library = folder.load()
    assert (dict(library.reviews), library.problems) == ({}, ())


@pytest.mark.parametrize(
    "name", ["rain.md", "conflict.md", "rain (2).md", "templates.md", "part.md", "my-bak.md"]
)
def test_ordinary_names_are_not(folder: Folder, name: str) -> None:
    """Names that only look a little like leftovers are content."""
    folder.write(f"reviews/{name}", REVIEW)
    assert list(folder.load().reviews) == [f"reviews/{name}"]


@pytest.mark.parametrize(
    "path, told",
    [("reviews/2024/rain.md", ("Only a file named index is published from a folder of its own."
      " Rename it to index.md, or move it to reviews/rain.md.")),
     ("reviews/rain.markdown", "Files in reviews/ have names that end in .md or .txt. Rename it or move it."),
     ("reviews/rain", "Files in reviews/ have names that end in .md or .txt. Rename it or move it."),
     ("authors/mina.txt", "Files in authors/ have names that end in .md. Rename it or move it."),
     ("dramas/rain.md", "Files in dramas/ have names that end in .yaml or .yml. Rename it or move it."),
     ("Reviews/rain.md", "The folder is called Reviews. Rename it to reviews."),
     ("rain.md", "The file is in no folder that is published. Move it to reviews/.")],
)  # fmt: skip
def test_strays(folder: Folder, path: str, told: str) -> None:
    """A text in the wrong place is mentioned, with the right one; nothing breaks."""
    folder.write(path, REVIEW)
    library = folder.load()
    assert [str(p) for p in library.problems] == [f"{path}:1:1: {told}"]
    assert library.broken == frozenset()


@pytest.mark.parametrize(
    "path", ["README.md", "reviews/readme.txt", "notes/x.csv", "reviews/rain.mp4", "attachments/a.png"]
)
def test_what_nobody_meant_to_publish(folder: Folder, path: str) -> None:
    """Other files are nobody's business."""
    folder.write(path, REVIEW)
    assert folder.problems() == []


def test_names_that_are_no_text(folder: Folder) -> None:
    """A file name that is not UTF-8 is a problem that can be shown."""
    folder.write("reviews/rain.md", REVIEW)
    odd = os.fsencode(folder.root / "reviews") + b"/r\xe9in.md"
    with open(odd, "wb") as file:  # noqa: PTH123 - a Path cannot be opened under such a name on purpose
        file.write(REVIEW.encode())
    assert folder.problems() == ["reviews/r?in.md:1:1: The name of this file is not UTF-8. Rename it."]
    assert list(folder.load().reviews) == ["reviews/rain.md"]


@pytest.mark.parametrize("name", ["ra\nin.md", "ra\rin.md", "ra\x1b[31min.md", "ra\x85in.md"])
def test_names_that_break_lines(folder: Folder, name: str) -> None:
    """A79: a name with a line end or a terminal's command reaches neither log nor header."""
    folder.write(f"reviews/{name}", REVIEW)
    (problem,) = folder.problems()
    assert problem.isprintable()
    assert "control character" in problem
    assert list(folder.load().cards) == []


def test_very_deep_folders_end_somewhere(tmp_path: Path) -> None:
    """The pass goes only so deep."""
    deep = tmp_path.joinpath(*["x"] * 40)
    deep.mkdir(parents=True)
    (deep / "a.jpg").write_bytes(b"")
    assert tree.scan(tmp_path).entries == {}


def test_identity_tells_a_replaced_folder(tmp_path: Path) -> None:
    """Another folder under the same name has another identity; a renamed one keeps its own."""
    (tmp_path / "a").mkdir()
    first = tree.scan(tmp_path / "a").identity
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()
    assert tree.scan(tmp_path / "b").identity == first != tree.scan(tmp_path / "a").identity


def test_root_may_be_a_link(folder: Folder, tmp_path: Path) -> None:
    """The content folder itself may be a link, as in deployments that swap a checkout."""
    folder.write("reviews/rain.md", REVIEW)
    (tmp_path / "current").symlink_to(folder.root)
    assert "reviews/rain.md" in tree.scan(tmp_path / "current").entries


@pytest.mark.parametrize(
    "path, kind",
    [("site.yaml", FileKind.SITE), ("authors/a.md", FileKind.AUTHOR), ("dramas/a.YML", FileKind.DRAMA),
     ("reviews/a/index.txt", FileKind.REVIEW), ("pages/a.md", FileKind.PAGE),
      ("pages/a.jpg", FileKind.PICTURE),
     ("pages/sub/a.md", FileKind.STRAY), ("a.css", FileKind.OTHER), ("x/site.yaml", FileKind.STRAY)],
)  # fmt: skip
def test_kinds_by_place(path: str, kind: FileKind) -> None:
    """What a file is depends on its place and extension alone."""
    assert tree.classify(path) is kind
