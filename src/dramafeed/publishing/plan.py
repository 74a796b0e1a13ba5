"""The words of a publishing decision: what is stored, which rules hold, and the plan that comes out."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from dramafeed.model import Library, Problem, Severity, State, Thing

Words = object  # an Author, Drama, Page or Site; for a review its Card: the library has the words


class ChangeKind(StrEnum):
    """What happens to a thing, in the order in which people read it in `publish --dry-run`."""

    PUBLISH = "publish"
    EDIT = "edit"
    RENAME = "rename"
    PARK = "park"  # its file is missing: nothing is sent until it returns or its time is up
    RETURN = "return"
    HIDE = "hide"
    SHOW = "show"
    WITHDRAW = "withdraw"
    DISCARD = "discard"  # never told to anyone: taken out without a trace
    TELL = "tell"  # a quiet review is announced after all
    HUSH = "hush"  # an announcement that has not left is taken back
    NOTE = "note"  # book-keeping that nobody outside sees


@dataclass(frozen=True)
class Change:
    """One thing after and before, with the words of its new edition if it gets one (see `Words`)."""

    kind: ChangeKind
    thing: Thing
    before: Thing | None = None
    words: Words | None = None
    text: str = ""  # canonical JSON of `words`, unless they are a review's


@dataclass
class Reviews:
    """The stored reviews by uid, with what a decision asks of them.

    `live` are those that were not withdrawn, by path, `holders` the same by slug; `past` the withdrawn ones
    by path; `final` those that were withdrawn by hand, by uid; `texts` the live ones by body hash; `undated`
    those without a date of their own, by uid; `instants` counts the instants of publication.
    """

    by_uid: dict[str, Thing] = field(default_factory=dict)
    live: dict[str, Thing] = field(default_factory=dict)
    holders: dict[str, Thing] = field(default_factory=dict)
    past: dict[str, dict[str, Thing]] = field(default_factory=dict)
    final: dict[str, Thing] = field(default_factory=dict)
    texts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    undated: dict[str, Thing] = field(default_factory=dict)
    instants: Counter[datetime] = field(default_factory=Counter)

    def remove(self, uid: str) -> Thing | None:
        """Take a review out."""
        thing = self.by_uid.pop(uid, None)
        if thing is None:
            return None
        for index, key in ((self.live, thing.path), (self.holders, thing.slug)):
            if key in index and index[key].uid == uid:
                del index[key]
        for things in (self.past.get(thing.path, {}), self.final, self.undated):
            things.pop(uid, None)
        self.texts[thing.body_hash] = tuple(u for u in self.texts.get(thing.body_hash, ()) if u != uid)
        if thing.published is not None:
            self.instants[thing.published] -= 1
        return thing

    def add(self, thing: Thing) -> None:
        """Put a review in that is not there."""
        self.by_uid[thing.uid] = thing
        if is_live(thing):
            self.live[thing.path] = self.holders[thing.slug] = thing
            self.texts[thing.body_hash] = (*self.texts.get(thing.body_hash, ()), thing.uid)
        else:
            self.past.setdefault(thing.path, {})[thing.uid] = thing
        if thing.final:
            self.final[thing.uid] = thing
        if not thing.dated:
            self.undated[thing.uid] = thing
        if thing.published is not None:
            self.instants[thing.published] += 1


@dataclass(frozen=True)
class Stored:
    """What the database holds, as far as the decision needs it.

    `unsent` are uids whose Create is owed but has not been frozen yet; `told` those with an audience.
    `copies` says since when a new file that repeats an existing review has been waiting.
    """

    site: Thing | None = None
    authors: tuple[Thing, ...] = ()
    dramas: tuple[Thing, ...] = ()
    pages: tuple[Thing, ...] = ()
    reviews: Reviews = field(default_factory=Reviews)
    author_slugs: Mapping[str, str] = field(default_factory=dict)
    drama_slugs: Mapping[str, str] = field(default_factory=dict)
    unsent: frozenset[str] = frozenset()
    told: Container[str] = frozenset()
    followed: frozenset[str] = frozenset()  # handles that have followers
    copies: Mapping[str, datetime] = field(default_factory=dict)
    joins: Mapping[str, str] = field(default_factory=dict)  # new path -> old path, by `join`
    first_pass: bool = False
    restless: Collection[str] | None = None  # paths of reviews that may differ from the folder; None: all
    settled_words: Mapping[str, Words] = field(default_factory=dict)  # the same of other things, by uid
    root_identity: str = ""
    site_file: bool = False  # a site.yaml was there at some pass
    ledger_lost: bool = False  # the identity file was there once and is gone


@dataclass(frozen=True)
class Rules:
    """The settings that decide. `gate` is False while nothing may federate from this address."""

    hold: timedelta = timedelta(seconds=60)
    grace: timedelta = timedelta(seconds=600)
    quiet: timedelta = timedelta(seconds=300)
    gate: bool = True
    allow_mass_delete: bool = False
    federate_old: bool = False
    old_after: timedelta = timedelta(days=14)
    undated_limit: int = 5
    undated_window: timedelta = timedelta(minutes=10)


@dataclass(frozen=True)
class Plan:
    """What to write. `look_again` is when a pass is needed although no file has changed."""

    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    copies: Mapping[str, datetime] = field(default_factory=dict)
    removals_held: str = ""  # why missing reviews are not withdrawn; "" when nothing is held
    look_again: datetime | None = None
    missing: int = 0  # live reviews whose file is not there


@dataclass
class Draft:
    """A plan in the making."""

    stored: Stored
    library: Library
    now: datetime
    rules: Rules
    site_id: str
    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    copies: dict[str, datetime] = field(default_factory=dict)
    removals_held: str = ""
    look_again: datetime | None = None
    missing: int = 0
    author_uids: dict[str, str] = field(default_factory=dict)  # library slug -> uid
    author_handles: dict[str, str | None] = field(default_factory=dict)  # uid -> handle
    drama_uids: dict[str, str] = field(default_factory=dict)
    site_handle: str = "blog"
    # kept true while the plan grows
    held: dict[str, Thing | None] = field(default_factory=dict)  # slugs that change their holder
    uids: set[str] = field(default_factory=set)  # of new reviews
    instants: set[datetime] = field(default_factory=set)  # of their publication

    def holder(self, slug: str) -> Thing | None:
        """The live review that holds a slug."""
        return self.held[slug] if slug in self.held else self.stored.reviews.holders.get(slug)

    def twin(self, body_hash: str) -> Thing | None:
        """A live review with this text (of equal ones the first by uid)."""
        uids = self.stored.reviews.texts.get(body_hash)
        return self.stored.reviews.by_uid[min(uids)] if uids and body_hash else None

    def past(self, path: str) -> list[Thing]:
        """The withdrawn reviews that were at a path, in the order of their uids."""
        found = self.stored.reviews.past.get(path, {}).values()
        return sorted(found, key=lambda thing: thing.uid)

    def add(
        self, kind: ChangeKind, thing: Thing, before: Thing | None, words: Words | None = None, text: str = ""
    ) -> None:
        """Plan a change."""
        self.changes.append(Change(kind, thing, before, words, text))

    def amend(self, kind: ChangeKind, stored: Thing, **values: Any) -> None:
        """Plan `values` for a thing: as part of the change that it gets anyway, else as one of `kind`."""
        for index, change in enumerate(self.changes):
            if change.thing.uid == stored.uid and change.kind is not ChangeKind.DISCARD:
                self.changes[index] = replace(change, thing=replace(change.thing, **values))
                return
        self.add(kind, replace(stored, **values), stored)

    def problem(
        self, path: str, message: str, fix: str = "", *, warning: bool = False, name: str = ""
    ) -> None:
        """Tell the writer of `path` something."""
        severity = Severity.WARNING if warning else Severity.ERROR
        self.problems.append(Problem(path, message, fix, severity=severity, field=name))

    def at(self, moment: datetime) -> None:
        """Ask for a pass at `moment`."""
        if self.look_again is None or moment < self.look_again:
            self.look_again = moment


def uid_of(site_id: str, name: str) -> str:
    """The uid of a thing by its first name (`author:ilse`, or a review's first path and generation)."""
    return str(uuid.uuid5(uuid.UUID(site_id), name))


def is_live(thing: Thing) -> bool:
    """True while a thing has not been withdrawn."""
    return thing.state in (State.PUBLIC, State.HIDDEN)
