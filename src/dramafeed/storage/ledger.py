"""The identity ledger: who is who, as lines of JSON in the folder that people back up.

Each line is a full snapshot of one thing, so the last line about a uid is all there is to know. Reading
passes over what a git merge leaves behind (conflict markers, duplicates); writing appends by event id, so
that a crash between the write and its note in the database repeats nothing that matters.
"""

from __future__ import annotations

import json
import os
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dramafeed.model import Federated, State, Thing, ThingKind

FOLDER = ".dramafeed"
NAME = "identity.jsonl"
_END = 1 << 20  # bytes, far more than one pass writes in the life of a site after its first


def snapshot(
    thing: Thing, slugs: Sequence[str], redirects: Sequence[str] = (), *, extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The identity of a thing as a ledger line says it (without event id and addresses).

    Args:
        slugs: every slug that leads to it.
        redirects: old paths that lead to it.
        extra: further facts of the site's own line (`followers`, `keys`).
    """
    return {
        "kind": thing.kind.value,
        "uid": thing.uid,
        "generation": thing.generation,
        "path": thing.path,
        "slug": thing.slug,
        "slugs": list(slugs),
        "redirect_from": list(redirects),
        "published_utc": _text(thing.published),
        "attributed_to": thing.attributed_to,
        "authors": list(thing.author_uids),
        "revised_at": _text(thing.revised_at),
        "federated": thing.federated is Federated.TOLD,
        "unlisted": thing.unlisted,
        "form": thing.form,
        "dated": thing.dated,
        "withdrawn": thing.state in (State.WITHDRAWN, State.FORGOTTEN),
        "deleted": thing.deleted,
        "final": thing.final,
        "handle": thing.handle,
        "name": thing.title,
        **(extra or {}),
    }


def line(event_id: str, at: datetime, base_url: str, handle_domain: str, facts: dict[str, Any]) -> str:
    """One line of the file."""
    whole = {
        "event": event_id,
        "at": _text(at),
        "base_url": base_url,
        "handle_domain": handle_domain,
        **facts,
    }
    return _row(whole)


def _row(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Remembered:
    """One thing as the ledger knows it. The thing is WITHDRAWN until its file is seen again."""

    thing: Thing
    slugs: tuple[str, ...]
    redirects: tuple[str, ...]
    facts: dict[str, Any]

    @property
    def event(self) -> tuple[str, str]:
        """Event id and line."""
        return str(self.facts["event"]), _row(self.facts)


def read(path: Path, base_url: str) -> list[Remembered]:
    """The last snapshot of every thing, in the order of first mention; [] when there is no file.

    Lines that a loopback address wrote are passed over once the site has a public one.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    last: dict[str, dict[str, Any]] = {}
    for row in text.splitlines():
        facts = _facts(row)
        if facts is None or (_is_local(facts["base_url"]) and not _is_local(base_url)):
            continue
        known = last.get(facts["uid"])
        if known is None or facts["at"] >= known["at"]:  # of equal instants, the later line
            last[facts["uid"]] = facts
    return [_remembered(facts) for facts in last.values()]


def unseen(path: Path, base_url: str, events: Iterable[tuple[str, str]]) -> list[Remembered]:
    """The last snapshots that are later than a database.

    Args:
        path: the ledger.
        base_url: only its lines count: another address is another site.
        events: (event id, line) of every event that the database has.
    """
    known, last = set(), dict[str, str]()
    for event_id, row in events:
        known.add(event_id)
        facts = json.loads(row)
        last[facts["uid"]] = max(facts["at"], last.get(facts["uid"], ""))
    return [
        one
        for one in read(path, base_url)
        if one.facts["base_url"] == base_url
        and one.facts["event"] not in known
        and one.facts["at"] >= last.get(one.thing.uid, "")
    ]


def _facts(row: str) -> dict[str, Any] | None:
    """A line's facts, or None for a conflict marker, a torn line or anything else."""
    try:
        facts = json.loads(row)
    except ValueError:
        return None
    needed = ("event", "at", "base_url", "kind", "uid", "path", "slug")
    whole = isinstance(facts, dict) and all(isinstance(facts.get(key), str) for key in needed)
    return facts if whole and facts["kind"] in set(ThingKind) else None


def _remembered(facts: dict[str, Any]) -> Remembered:
    thing = Thing(
        uid=facts["uid"],
        kind=ThingKind(facts["kind"]),
        path=facts["path"],
        slug=facts["slug"],
        generation=int(facts.get("generation") or 0),
        state=State.WITHDRAWN,
        title=str(facts.get("name") or ""),
        handle=facts.get("handle"),
        published=_instant(facts.get("published_utc")),
        attributed_to=facts.get("attributed_to"),
        revised_at=_instant(facts.get("revised_at")),
        federated=Federated.TOLD if facts.get("federated") else Federated.QUIET,
        unlisted=bool(facts.get("unlisted")),
        form=str(facts.get("form") or ""),
        dated=bool(facts.get("dated", True)),
        deleted=bool(facts.get("deleted")),
        final=bool(facts.get("final")),
        author_uids=tuple(facts.get("authors") or ()),
    )
    slugs = tuple(str(slug) for slug in facts.get("slugs") or ())
    redirects = tuple(str(path) for path in facts.get("redirect_from") or ())
    return Remembered(thing, slugs, redirects, facts)


def path_of(content: Path, data: Path) -> Path:
    """Where the ledger is kept: with the content, or with the data when the content is read-only."""
    folder = content / FOLDER
    target = folder if folder.exists() else content
    return folder / NAME if os.access(target, os.W_OK) else data / NAME


def append(path: Path, events: Iterable[tuple[str, str]]) -> None:
    """Add the lines that the file does not have yet, and make sure that they are on the disk.

    Raises:
        OSError: the file cannot be written; the lines stay owed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    attributes = path.parent / ".gitattributes"
    if path.parent.name == FOLDER and not attributes.exists():
        attributes.write_text(f"{NAME} merge=union\n", encoding="utf-8")
    present = _Present(path)
    rows = [row for event_id, row in events if event_id not in present]
    if not rows:
        return
    with path.open("ab") as file:
        if file.tell() and not _ends_with_newline(path):
            file.write(b"\n")
        file.write("".join(f"{row}\n" for row in rows).encode())
        file.flush()
        os.fsync(file.fileno())


class _Present(Container[str]):
    """The events that stand at the end of the file: what a process that died may have left there.

    A line that stands further up as well is written twice, which does no harm.
    """

    def __init__(self, path: Path) -> None:
        self._text = b""
        if path.exists():
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _END))
                self._text = file.read()

    def __contains__(self, event_id: object) -> bool:
        # An id that occurs nowhere needs no closer look; one that does may stand in a torn line.
        return isinstance(event_id, str) and event_id.encode() in self._text and event_id in self._whole

    @cached_property
    def _whole(self) -> set[str]:
        rows = self._text.decode(errors="replace").splitlines()
        return {facts["event"] for row in rows if (facts := _facts(row))}


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None
