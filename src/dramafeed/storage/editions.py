"""Gateway to what is published: things, their editions, bylines, slugs and the identity ledger's rows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update

from dramafeed.model import (
    Author,
    Drama,
    Federated,
    LabelKind,
    Page,
    PublicAuthor,
    PublicDrama,
    PublicPage,
    PublicReview,
    PublicSite,
    Review,
    Site,
    State,
    Thing,
    ThingKind,
)
from dramafeed.storage import codec, counters, schema
from dramafeed.storage.upsert import upsert

T = TypeVar("T")
_THINGS = schema.things
_STATE_OF_ACTOR = select(_THINGS.c.state).where(_THINGS.c.handle == bindparam("handle"))
_BYLINES = schema.bylines
_LABELS = schema.labels
_COLUMNS = [f.name for f in fields(Thing) if f.name != "author_uids"]
_THING = [_THINGS.c[name] for name in _COLUMNS]
# The same in many things, or in what the publisher knows of their files: kept in memory once.
_SHARED = ("path", "slug", "title", "edition_hash", "body_hash", "attributed_to", "drama_uid", "form")
_LISTED = (_THINGS.c.kind == ThingKind.REVIEW, _THINGS.c.state == State.PUBLIC)
_PICTURE_NAME = re.compile(r'"name":"([0-9a-f]{32}\.[a-z]{3,4})"')  # as the codec writes it
_CHUNK = 500  # bound parameters that every database accepts in one IN list


class Editions:
    """Things and their current editions."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection
        self._number: int | None = None  # of this transaction, once it writes a thing

    # ---- things

    def version(self) -> int:
        """The number of the newest transaction that wrote a thing."""
        return counters.current(self._db, counters.THINGS)

    def changed_since(self, version: int) -> tuple[list[Thing], list[str]]:
        """The things that were written after a version, and the uids of those that were taken out."""
        removed = schema.removed_things
        gone = self._db.execute(select(removed.c.uid).where(removed.c.changed > version)).scalars()
        query = select(*_THING).where(_THINGS.c.changed > version).order_by(_THINGS.c.uid)
        rows = self._db.execute(query.execution_options(yield_per=_CHUNK))
        things = [thing for part in rows.partitions() for thing in self._as_things(part)]
        return things, list(gone)

    def _writing(self) -> int:
        """The number of this transaction."""
        if self._number is None:
            self._number = counters.advance(self._db, counters.THINGS)
        return self._number

    def empty(self) -> bool:
        """True when nothing was ever published here."""
        return self._db.execute(select(_THINGS.c.uid).limit(1)).first() is None

    def things(self, kind: ThingKind) -> list[Thing]:
        """Every thing of a kind in whatever state, in the order of their uids."""
        rows = self._db.execute(select(*_THING).where(_THINGS.c.kind == kind).order_by(_THINGS.c.uid)).all()
        return self._as_things(rows)

    def thing(self, uid: str) -> Thing | None:
        """One thing by uid."""
        rows = self._db.execute(select(*_THING).where(_THINGS.c.uid == uid)).all()
        return next(iter(self._as_things(rows)), None)

    def by_slug(self, kind: ThingKind, slug: str) -> Thing | None:
        """The thing that holds a slug, now or last."""
        table = schema.slugs
        uid = self._db.execute(select(table.c.uid).where(table.c.kind == kind, table.c.slug == slug)).scalar()
        return self.thing(uid) if uid else None

    def by_handle(self, handle: str) -> Thing | None:
        """The author or site whose actor has a handle."""
        rows = self._db.execute(select(*_THING).where(_THINGS.c.handle == handle)).all()
        return next(iter(self._as_things(rows)), None)

    def state_of_actor(self, handle: str) -> State | None:
        """Whether the actor with a handle is public; None when nobody ever had it."""
        found = self._db.execute(_STATE_OF_ACTOR, {"handle": handle}).scalar()
        return None if found is None else State(found)

    def by_old_path(self, path: str) -> Thing | None:
        """The review that names `path` in its `redirect_from`."""
        table = schema.redirects
        uid = self._db.execute(select(table.c.uid).where(table.c.path == path)).scalar()
        return self.thing(uid) if uid else None

    def slugs_of(self, uid: str) -> list[str]:
        """Every slug that leads to a thing, in alphabetical order."""
        table = schema.slugs
        found = self._db.execute(select(table.c.slug).where(table.c.uid == uid).order_by(table.c.slug))
        return [str(slug) for slug in found.scalars()]

    def slug_holders(self, kind: ThingKind) -> dict[str, str]:
        """slug -> uid for a kind."""
        table = schema.slugs
        rows = self._db.execute(select(table.c.slug, table.c.uid).where(table.c.kind == kind))
        return dict(tuple(row) for row in rows)

    def put(self, thing: Thing) -> None:
        """Write a thing: row, byline and slug."""
        values = {name: getattr(thing, name) for name in _COLUMNS if name != "uid"}
        values["changed"] = self._writing()
        upsert(self._db, _THINGS, {"uid": thing.uid}, values)
        if thing.kind is ThingKind.REVIEW:
            self._db.execute(delete(_BYLINES).where(_BYLINES.c.review_uid == thing.uid))
            rows = [
                {"review_uid": thing.uid, "position": n, "author_uid": uid, "published": _listed_at(thing)}
                for n, uid in enumerate(thing.author_uids)
            ]
            if rows:
                self._db.execute(insert(_BYLINES), rows)
            mine = _LABELS.c.review_uid == thing.uid
            self._db.execute(update(_LABELS).where(mine).values(published=_listed_at(thing)))
        if thing.slug and thing.state in (State.PUBLIC, State.HIDDEN):
            upsert(self._db, schema.slugs, {"kind": thing.kind, "slug": thing.slug}, {"uid": thing.uid})

    def add_slugs(self, thing: Thing, slugs: Iterable[str]) -> None:
        """Let further (older) slugs lead to a thing, unless they lead somewhere already."""
        for slug in slugs:
            if self.by_slug(thing.kind, slug) is None:
                upsert(self._db, schema.slugs, {"kind": thing.kind, "slug": slug}, {"uid": thing.uid})

    def put_redirects(self, uid: str, paths: Sequence[str]) -> None:
        """Let old paths lead to a thing; they outlive the front matter that named them."""
        for path in paths:
            upsert(self._db, schema.redirects, {"path": path}, {"uid": uid})

    def redirects_of(self, uid: str) -> list[str]:
        """Old paths that lead to a thing, in alphabetical order."""
        table = schema.redirects
        found = self._db.execute(select(table.c.path).where(table.c.uid == uid).order_by(table.c.path))
        return [str(path) for path in found.scalars()]

    def remove(self, uid: str) -> None:
        """Take a thing out entirely (one that nobody outside was ever told about)."""
        for table, column in (
            (schema.editions, schema.editions.c.uid),
            (schema.slugs, schema.slugs.c.uid),
            (schema.redirects, schema.redirects.c.uid),
            (schema.labels, schema.labels.c.review_uid),
            (schema.review_links, schema.review_links.c.review_uid),
            (_BYLINES, _BYLINES.c.review_uid),
            (_THINGS, _THINGS.c.uid),
        ):
            self._db.execute(delete(table).where(column == uid))
        upsert(self._db, schema.removed_things, {"uid": uid}, {"changed": self._writing()})

    def _as_things(self, rows: Sequence[Row[Any]]) -> list[Thing]:
        bylines = self._bylines([row.uid for row in rows if row.kind == ThingKind.REVIEW])
        return [_as_thing(row, bylines.get(row.uid, ())) for row in rows]

    def _bylines(self, uids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for chunk in _chunks(uids):
            query = select(_BYLINES).where(_BYLINES.c.review_uid.in_(chunk)).order_by(_BYLINES.c.position)
            for row in self._db.execute(query):
                found.setdefault(row.review_uid, []).append(row.author_uid)
        return {uid: tuple(authors) for uid, authors in found.items()}

    # ---- editions

    def add_edition(self, uid: str, fields_text: str, now: datetime) -> int:
        """Store an edition (canonical JSON); its number."""
        statement = insert(schema.editions).values(
            uid=uid, hash=codec.digest(fields_text), fields=fields_text, created_at=now
        )
        key = self._db.execute(statement).inserted_primary_key
        return int(key[0]) if key else 0

    def put_links(self, review_uid: str, paths: Iterable[str]) -> None:
        """Remember which content paths a review's text links to."""
        table = schema.review_links
        self._db.execute(delete(table).where(table.c.review_uid == review_uid))
        rows = [{"review_uid": review_uid, "target_path": path} for path in sorted(set(paths))]
        if rows:
            self._db.execute(insert(table), rows)

    def linking_to(self, path: str) -> list[str]:
        """Uids of the reviews whose text links to a content path."""
        table = schema.review_links
        return list(self._db.execute(select(table.c.review_uid).where(table.c.target_path == path)).scalars())

    def put_labels(self, review_uid: str, labels: Iterable[tuple[LabelKind, str, str]]) -> None:
        """The tags and the kind of a review, as (kind, slug, name)."""
        self._db.execute(delete(_LABELS).where(_LABELS.c.review_uid == review_uid))
        names = {(kind, slug): name for kind, slug, name in labels}
        thing = self.thing(review_uid)
        common = {"review_uid": review_uid, "published": _listed_at(thing) if thing else None}
        rows = [
            {**common, "kind": kind, "slug": slug, "name": name}
            for (kind, slug), name in sorted(names.items())
        ]
        if rows:
            self._db.execute(insert(_LABELS), rows)

    def label_name(self, kind: LabelKind, slug: str) -> str | None:
        """The name of a tag or kind as its oldest public review writes it; None when no review has it."""
        query = (
            select(_LABELS.c.name)
            .where(_LABELS.c.kind == kind, _LABELS.c.slug == slug, _LABELS.c.published.is_not(None))
            .order_by(_LABELS.c.published, _LABELS.c.review_uid)
        )
        found = self._db.execute(query.limit(1)).scalar()
        return None if found is None else str(found)

    def label_names(self, kind: LabelKind) -> dict[str, str]:
        """slug -> name of every tag or kind that a public review has, in the order of their slugs."""
        query = (
            select(_LABELS.c.slug, _LABELS.c.name)
            .where(_LABELS.c.kind == kind, _LABELS.c.published.is_not(None))
            .order_by(_LABELS.c.published.desc(), _LABELS.c.review_uid.desc())
        )
        names = {row.slug: row.name for row in self._db.execute(query)}  # the oldest review's name stays
        return dict(sorted(names.items()))

    def label_waits(self, kind: LabelKind, slug: str) -> bool:
        """True while a hidden review has the tag or kind, so that its page may come back."""
        table = schema.labels
        query = (
            select(table.c.review_uid)
            .join(_THINGS, _THINGS.c.uid == table.c.review_uid)
            .where(_THINGS.c.state == State.HIDDEN, table.c.kind == kind, table.c.slug == slug)
        )
        return self._db.execute(query.limit(1)).first() is not None

    def pictures(self) -> set[str]:
        """The file names of all pictures that something public shows."""
        table = schema.editions
        query = (
            select(table.c.fields)
            .join(_THINGS, _THINGS.c.edition == table.c.id)
            .where(_THINGS.c.state == State.PUBLIC)
        )
        texts = self._db.execute(query.execution_options(yield_per=_CHUNK)).scalars()
        return {name for text in texts for name in _PICTURE_NAME.findall(text)}

    def fields(self, cls: type[T], edition: int | None) -> T | None:
        """The words of one edition."""
        if edition is None:
            return None
        query = select(schema.editions.c.fields).where(schema.editions.c.id == edition)
        text = self._db.execute(query).scalar()
        return None if text is None else codec.decode(cls, str(text))

    def _fields_of(self, cls: type[T], things: Sequence[Thing]) -> dict[str, T]:
        numbers = [thing.edition for thing in things if thing.edition is not None]
        found: dict[str, T] = {}
        for chunk in _chunks(numbers):
            table = schema.editions
            for row in self._db.execute(select(table.c.uid, table.c.fields).where(table.c.id.in_(chunk))):
                found[row.uid] = codec.decode(cls, row.fields)
        return found

    # ---- what the public sees

    def site(self) -> PublicSite | None:
        """The site, once something was published."""
        things = [thing for thing in self.things(ThingKind.SITE) if thing.edition is not None]
        found = self._fields_of(Site, things)
        return PublicSite(things[0], found[things[0].uid]) if things else None

    def addresses(self, kind: ThingKind) -> list[tuple[str, str, datetime | None]]:
        """(uid, slug, last revision or publication) of every public thing of a kind, newest first."""
        query = (
            select(_THINGS.c.uid, _THINGS.c.slug, func.coalesce(_THINGS.c.revised_at, _THINGS.c.published))
            .where(_THINGS.c.kind == kind, _THINGS.c.state == State.PUBLIC)
            .order_by(_THINGS.c.published.desc(), _THINGS.c.uid.desc())
        )
        return [tuple(row) for row in self._db.execute(query)]

    def authors(self) -> list[PublicAuthor]:
        """Every author, by name."""
        things = self.things(ThingKind.AUTHOR)
        words = self._fields_of(Author, things)
        found = [PublicAuthor(thing, words[thing.uid]) for thing in things if thing.state is State.PUBLIC]
        return sorted(found, key=lambda one: (one.author.name.casefold(), one.thing.uid))

    def dramas(self) -> list[PublicDrama]:
        """Every drama, by title."""
        things = [t for t in self.things(ThingKind.DRAMA) if t.state is State.PUBLIC]
        words = self._fields_of(Drama, things)
        found = [PublicDrama(thing, words[thing.uid]) for thing in things]
        return sorted(found, key=lambda one: (one.drama.title.casefold(), one.thing.uid))

    def pages(self) -> list[PublicPage]:
        """Every plain page, by title."""
        things = [t for t in self.things(ThingKind.PAGE) if t.state is State.PUBLIC]
        words = self._fields_of(Page, things)
        found = [PublicPage(thing, words[thing.uid]) for thing in things]
        return sorted(found, key=lambda one: (one.page.title.casefold(), one.thing.uid))

    def author(self, thing: Thing) -> PublicAuthor:
        """One author's current edition."""
        return PublicAuthor(thing, self._fields_of(Author, [thing])[thing.uid])

    def drama(self, thing: Thing) -> PublicDrama:
        """One drama's current edition."""
        return PublicDrama(thing, self._fields_of(Drama, [thing])[thing.uid])

    def page(self, thing: Thing) -> PublicPage:
        """One page's current edition."""
        return PublicPage(thing, self._fields_of(Page, [thing])[thing.uid])

    def review(self, thing: Thing) -> PublicReview:
        """One review's current edition with all it refers to."""
        return self._public([thing])[0]

    def listed(
        self,
        *,
        author: str | None = None,
        drama: str | None = None,
        actor: str | None = None,
        label: tuple[LabelKind, str] | None = None,
        limit: int = 20,
        offset: int = 0,
        oldest_first: bool = False,
    ) -> list[PublicReview]:
        """Public reviews, newest first: all, or those of an author or drama (uid) or actor (handle)."""
        published, uid, clauses = _narrowed(author, drama, actor, label)
        order = (published, uid) if oldest_first else (published.desc(), uid.desc())
        chosen = select(uid).where(*clauses).order_by(*order).limit(limit).offset(offset)
        uids = list(self._db.execute(chosen).scalars())
        things = {thing.uid: thing for thing in self._as_things(self._rows(uids))}
        return self._public([things[uid] for uid in uids])

    def count(
        self,
        *,
        author: str | None = None,
        drama: str | None = None,
        actor: str | None = None,
        label: tuple[LabelKind, str] | None = None,
    ) -> int:
        """How many reviews `listed` has to give."""
        _published, uid, clauses = _narrowed(author, drama, actor, label)
        return int(self._db.execute(select(func.count(uid)).where(*clauses)).scalar() or 0)

    def counts_by_drama(self) -> dict[str, int]:
        """drama uid -> public reviews."""
        query = select(_THINGS.c.drama_uid, func.count()).where(*_LISTED).group_by(_THINGS.c.drama_uid)
        return {uid: count for uid, count in self._db.execute(query) if uid}

    def counts_by_author(self) -> dict[str, int]:
        """author uid -> public reviews."""
        query = (
            select(_BYLINES.c.author_uid, func.count())
            .where(_BYLINES.c.published.is_not(None))
            .group_by(_BYLINES.c.author_uid)
        )
        return dict(tuple(row) for row in self._db.execute(query))

    def refer_to(self, uid: str) -> list[Thing]:
        """Public reviews of an author or drama."""
        by = select(_BYLINES.c.review_uid).where(_BYLINES.c.author_uid == uid)
        query = select(*_THING).where(*_LISTED, or_(_THINGS.c.uid.in_(by), _THINGS.c.drama_uid == uid))
        return self._as_things(self._db.execute(query).all())

    def _public(self, things: Sequence[Thing]) -> list[PublicReview]:
        words = self._fields_of(Review, things)
        others = {uid for thing in things for uid in thing.author_uids}
        others |= {thing.drama_uid for thing in things if thing.drama_uid}
        known = self._by_uid(sorted(others))
        authors = self._fields_of(Author, [t for t in known.values() if t.kind is ThingKind.AUTHOR])
        dramas = self._fields_of(Drama, [t for t in known.values() if t.kind is ThingKind.DRAMA])
        targets = self._slugs_at({path for r in words.values() for _raw, path in r.links})
        return [
            PublicReview(
                thing=thing,
                review=words[thing.uid],
                authors=tuple(PublicAuthor(known[u], authors[u]) for u in thing.author_uids if u in authors),
                drama=_joined_drama(thing, known, dramas),
                links={raw: targets[path] for raw, path in words[thing.uid].links if path in targets},
            )
            for thing in things
        ]

    def _by_uid(self, uids: Sequence[str]) -> dict[str, Thing]:
        return {row.uid: _as_thing(row, ()) for row in self._rows(uids)}

    def _rows(self, uids: Sequence[str]) -> list[Row[Any]]:
        queries = (select(*_THING).where(_THINGS.c.uid.in_(chunk)) for chunk in _chunks(uids))
        return [row for query in queries for row in self._db.execute(query)]

    def _slugs_at(self, paths: set[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for chunk in _chunks(sorted(paths)):
            query = select(_THINGS.c.path, _THINGS.c.slug).where(*_LISTED, _THINGS.c.path.in_(chunk))
            found |= {row.path: row.slug for row in self._db.execute(query)}
        return found

    # ---- the identity ledger

    def add_event(self, event_id: str, uid: str, line: str) -> None:
        """Record one identity event; the publisher writes it to the file."""
        self._db.execute(
            insert(schema.identity_events).values(id=event_id, uid=uid, line=line, written=False)
        )

    def unwritten_events(self) -> list[tuple[str, str]]:
        """(event id, line) of the events that do not stand in the file yet, oldest first."""
        table = schema.identity_events
        query = select(table.c.id, table.c.line).where(~table.c.written).order_by(table.c.number)
        return [(row.id, row.line) for row in self._db.execute(query)]

    def all_events(self) -> list[tuple[str, str]]:
        """Every event, oldest first: to write the file anew when it is gone."""
        table = schema.identity_events
        return [(r.id, r.line) for r in self._db.execute(select(table).order_by(table.c.number))]

    def owe_events(self) -> None:
        """The file may be older than the database: every event is compared with it again."""
        self._db.execute(update(schema.identity_events).values(written=False))

    def has_unwritten_events(self) -> bool:
        """True while an event waits for the file: nothing may be delivered."""
        table = schema.identity_events
        return self._db.execute(select(table.c.number).where(~table.c.written).limit(1)).first() is not None

    def mark_written(self, event_ids: Sequence[str]) -> None:
        """The events stand in the file now."""
        table = schema.identity_events
        for chunk in _chunks(event_ids):
            self._db.execute(update(table).where(table.c.id.in_(chunk)).values(written=True))


def _narrowed(
    author: str | None, drama: str | None, actor: str | None, label: tuple[LabelKind, str] | None
) -> tuple[Any, Any, list[Any]]:
    """Columns of the instant and the uid, and the clauses, of the reviews meant; an index leads to each."""
    if author is not None:
        table: Any = _BYLINES
        clauses = [table.c.author_uid == author, table.c.published.is_not(None)]
    elif label is not None:
        table = _LABELS
        clauses = [table.c.kind == label[0], table.c.slug == label[1], table.c.published.is_not(None)]
    else:
        clauses = list(_LISTED)
        if drama is not None:
            clauses.append(_THINGS.c.drama_uid == drama)
        if actor is not None:
            clauses.append(_THINGS.c.attributed_to == actor)
        return _THINGS.c.published, _THINGS.c.uid, clauses
    return table.c.published, table.c.review_uid, clauses


def _listed_at(thing: Thing) -> datetime | None:
    """The instant that puts a review into lists; None while it is not public."""
    return thing.published if thing.state is State.PUBLIC else None


def _joined_drama(
    thing: Thing, known: Mapping[str, Thing], dramas: Mapping[str, Drama]
) -> PublicDrama | None:
    uid = thing.drama_uid
    return PublicDrama(known[uid], dramas[uid]) if uid and uid in dramas else None


def _as_thing(row: Row[Any], author_uids: tuple[str, ...]) -> Thing:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["kind"] = ThingKind(row.kind)
    values["state"] = State(row.state)
    values["federated"] = Federated(row.federated)
    for name in _SHARED:
        if values[name] is not None:
            values[name] = sys.intern(values[name])
    return Thing(**values, author_uids=tuple(map(sys.intern, author_uids)))


def _chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    return (items[n : n + _CHUNK] for n in range(0, len(items), _CHUNK))
