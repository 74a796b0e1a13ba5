"""The name-paired vectors, and that the same document gives the same bytes anywhere."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dramafeed.feeds import FeedDocument
from tests.feeds.vectors import FOLDER, FORMATS, NAMES, load

RENDER_ALL = """
import hashlib
from tests.feeds.vectors import FORMATS, NAMES, load
digest = hashlib.sha256()
for name in NAMES:
    for render in FORMATS.values():
        digest.update(render(load(name)))
print(digest.hexdigest())
"""


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_a_document_becomes_its_vector(name: str, suffix: str) -> None:
    """Each input gives exactly the bytes that stand beside it."""
    assert FORMATS[suffix](load(name)) == (FOLDER / f"{name}{suffix}").read_bytes()


def test_every_output_has_its_input() -> None:
    """No vector is left behind when its input is renamed."""
    outputs = {path.name for path in FOLDER.iterdir() if not path.name.endswith(".document.json")}
    expected = {f"{name}{suffix}" for name in NAMES for suffix in FORMATS}
    assert outputs == expected | {"json-feed-1.1.schema.json"}


@pytest.mark.parametrize("render", FORMATS.values(), ids=FORMATS.keys())
def test_rendering_twice_gives_the_same_bytes(
    feed: FeedDocument, render: Callable[[FeedDocument], bytes]
) -> None:
    """Nothing but the document decides the bytes, so every worker has the same ETag."""
    assert render(feed) == render(feed)


@pytest.mark.parametrize(
    "surroundings",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Seoul", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "TZ": "America/New_York", "LC_ALL": "C.UTF-8"},
    ],
)
def test_other_processes_give_the_same_bytes(surroundings: dict[str, str]) -> None:
    """Neither hash seed nor time zone nor locale of a process shows in a feed."""
    here = hashlib.sha256()
    for name in NAMES:
        for render in FORMATS.values():
            here.update(render(load(name)))
    root = Path(__file__).parent.parent.parent
    elsewhere = subprocess.run(
        [sys.executable, "-c", RENDER_ALL],
        env=os.environ | surroundings | {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert elsewhere.stdout.strip() == here.hexdigest()
