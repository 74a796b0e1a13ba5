"""The review files of the folder: each is read and linked when it, or what it refers to, changed.

In between only a `Record` is kept of each, without its words, so that ten thousand reviews take little
memory. A record says what the review asked of the other files and what they answered; while the answers stay
the same, so does the review. Records can be stored as text and taken up by the next process.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from dramafeed import model
from dramafeed.model import Card, Problem
from dramafeed.storage import codec

from . import drafts
from .drafts import ReviewDraft
from .front_matter import BadFileError
from .linking import UnsettledError, World, link_review
from .one_pass import Pass
from .people import Byline, Signature
from .schema import Defaults
from .shelf import Shelf, keys_asked, keys_offered
from .tree import Entry, FileKind, Stat, Tree, read


@dataclass(frozen=True, slots=True)
class Asked:
    """What a review asks of the rest of the folder: names of people and of a drama, and files.

    `files` are the pictures (True) and reviews that it names.
    """

    people: tuple[str, ...] = ()
    signer: str = ""
    drama: str = ""
    files: tuple[tuple[bool, str], ...] = ()

    def keys(self, path: str) -> set[str]:
        """All keys of the shelf that can matter to the review at a path."""
        return keys_asked(path, (name for _picture, name in self.files))


@dataclass(frozen=True, slots=True)
class Answers:
    """What the rest of the folder answered: slugs and paths, "" where there is none.

    `names` are the authors, the author to assume, the drama, and everybody who may have signed; `files` are
    the files that were asked for and the picture beside the review.
    """

    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    byline: Byline | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of one review file.

    `readable` is False when it could not be parsed; `answers` is None until it could be linked; `card` is
    None when it cannot be published. `used` are the pictures that it asked for, in the state in which they
    were read, `made` the names of what was derived from them.
    """

    stat: Stat
    readable: bool = True
    title: str = ""
    slug: str = ""
    signature: Signature | None = None
    inline: model.Drama | None = None
    asked: Asked = Asked()
    answers: Answers | None = None
    card: Card | None = None
    problems: tuple[Problem, ...] = ()
    used: tuple[tuple[str, Stat], ...] = ()
    made: tuple[str, ...] = ()


class ReviewFiles:
    """The reviews of one folder, pass after pass: `parse`, then `link`, then ask.

    Args:
        media: where derived pictures are.
    """

    def __init__(self, media: Path) -> None:
        self._media = media
        self.cards: dict[str, Card] = {}  # of what can be published now, by path
        self._records: dict[str, Record] = {}
        self._odd: set[str] = set()  # those with a signature or a drama of their own
        self._faulty: set[str] = set()  # those with problems or without a card
        self._askers: dict[str, tuple[str, ...]] = {}  # key of the shelf -> those whom it may concern
        self._common: dict[object, Any] = {}  # equal parts of records, kept once
        self._drafts: dict[str, bytes] = {}  # of the files that this pass parsed
        self._words: dict[str, bytes] = {}  # of the reviews that this pass linked
        self._touched: set[str] = set()  # by this pass
        self._keys: set[str] = set()  # of the shelf, that this pass changed
        self._unsaved: set[str] = set()
        self._left_out: set[str] = set()  # by the last pass
        self._defaults = Defaults()
        self._tree = Tree(complete=False)
        self._world: World | None = None  # in which the answers were given
        self._bylines: Mapping[str, Byline] = {}

    # ---- one process after the other

    def recall(self, version: str, rows: Iterable[tuple[str, str]]) -> None:
        """Takes up the records that an earlier process stored; those of another `reader_version` go."""
        if version != reader_version():
            self._unsaved = {path for path, _text in rows}
            return
        for row, text in rows:
            path, record = sys.intern(row), codec.decode(Record, text)
            record = replace(record, title=sys.intern(record.title), slug=sys.intern(record.slug))
            self._put(path, replace(record, card=record.card and self._lean(record, path)))
        self._unsaved = set()

    def _lean(self, record: Record, path: str) -> Card:
        """A record's card, with the texts that are kept elsewhere already."""
        card = record.card
        assert card is not None, path
        return replace(
            card,
            path=path,
            title=record.title,
            slug=record.slug,
            words_hash=sys.intern(card.words_hash),
            body_hash=sys.intern(card.body_hash),
            authors=self._common.setdefault(card.authors, card.authors),
            drama=self._common.setdefault(card.drama, card.drama),
        )

    @property
    def has_unsaved(self) -> bool:
        """True when records changed since `unsaved` was asked."""
        return bool(self._unsaved)

    def unsaved(self) -> dict[str, str | None]:
        """The records that changed since the last question, as text; None for files that went."""
        changed, self._unsaved = self._unsaved, set()
        records = self._records
        return {p: codec.encode(records[p]) if p in records else None for p in sorted(changed)}

    def start_again(self) -> None:
        """Forgets every record: whoever made them read files differently."""
        for path in list(self._records):
            self._drop(path)
        self._world = None

    def release(self) -> None:
        """Lets go of what only the pass needed; words are read anew when somebody asks."""
        self._drafts.clear()
        self._words.clear()

    # ---- reading

    def parse(self, found: Pass, defaults: Defaults) -> None:
        """Reads the files that changed. A folder that cannot be looked into any more proves nothing."""
        self.release()
        self._defaults, self._touched, self._keys = defaults, set(), set()
        if self._tree.complete and not found.tree.complete:
            return
        self._tree = found.tree
        present = found.tree.kinds[FileKind.REVIEW]
        if self._world is None or found.changed is None:
            self._touched = present.keys() | self._records.keys()
        else:
            self._touched = set(found.changed)
            self._keys = {key for path in found.changed for key in keys_offered(path)}
        for path in sorted(self._touched):
            entry = present.get(path)
            if entry is not None and path not in found.unseen and not self.knows(entry):
                self._read(found, entry)
            elif entry is not None and self.knows(entry):
                self._records[path] = replace(self._records[path], stat=entry.stat)  # equal, and kept once
            elif path not in found.tree.entries and found.tree.complete and path in self._records:
                self._drop(path)

    def _read(self, found: Pass, entry: Entry) -> None:
        data = found.read(entry)
        if data is not None:
            before = self._records.get(entry.path)
            record = self._parsed(data, entry.path, entry.stat)
            if before is not None and record.readable:
                record = replace(record, card=before.card)  # an equal one stays the same object
            self._put(entry.path, record)

    def _parsed(self, data: bytes, path: str, stat: Stat) -> Record:
        try:
            draft = drafts.read_review(data, path, self._defaults)
        except BadFileError as error:
            return Record(stat, readable=False, problems=error.problems)
        self._drafts[path] = zlib.compress(pickle.dumps(draft), 1)
        signature = None
        if draft.signature is not None and not draft.authors:
            block = draft.signature
            signature = Signature(path, block.name, block.bio, block.block.line, stat[0])
        return Record(
            stat,
            title=draft.review.title,
            slug=draft.review.slug,
            signature=signature,
            inline=draft.inline_drama,
            asked=_asked(draft),
        )

    def _put(self, path: str, record: Record) -> None:
        """Keep a record, and all that is known by its help."""
        before = self._records.get(path)
        if before is None or _name(before) != _name(record):
            self._renamed(path, before)
            self._renamed(path, record)
        if before is None or before.asked.files != record.asked.files:
            self._ask_no_more(path, before)
            for key in record.asked.keys(path):
                self._askers[key] = (*self._askers.get(key, ()), path)
        answers, asked = record.answers, record.asked
        self._records[path] = replace(
            record,
            answers=self._common.setdefault(answers, answers),
            asked=self._common.setdefault(asked, asked),
        )
        odd = record.signature is not None or record.inline is not None
        (self._odd.add if odd else self._odd.discard)(path)
        faulty = record.card is None or bool(record.problems)
        (self._faulty.add if faulty else self._faulty.discard)(path)
        self._unsaved.add(path)

    def _drop(self, path: str) -> None:
        record = self._records.pop(path)
        self._renamed(path, record)
        self._ask_no_more(path, record)
        self._odd.discard(path)
        self._faulty.discard(path)
        self._unsaved.add(path)

    def _renamed(self, path: str, record: Record | None) -> None:
        """What others may call a review by counts as changed."""
        if record is not None and record.readable:
            self._keys.update(keys_offered(path, record.slug, record.title))

    def _ask_no_more(self, path: str, record: Record | None) -> None:
        for key in record.asked.keys(path) if record else ():
            self._askers[key] = tuple(other for other in self._askers[key] if other != path)
            if not self._askers[key]:
                del self._askers[key]

    # ---- what others may ask before the reviews are linked

    @property
    def signatures(self) -> list[Signature]:
        """The author blocks of plain texts whose front matter names nobody."""
        odd = (self._records[path] for path in sorted(self._odd))
        return [record.signature for record in odd if record.signature is not None]

    @property
    def inline_dramas(self) -> dict[str, model.Drama]:
        """Dramas that are written inside reviews, by the review's path."""
        odd = ((path, self._records[path].inline) for path in sorted(self._odd))
        return {path: inline for path, inline in odd if inline is not None}

    def __contains__(self, path: str) -> bool:
        """True when the file was read in some state."""
        return path in self._records

    def knows(self, entry: Entry) -> bool:
        """True when the file was read in the state in which it is."""
        known = self._records.get(entry.path)
        return known is not None and known.stat == entry.stat

    def titles(self) -> Iterator[tuple[str, str, str]]:
        """(path, slug, title) of every readable review."""
        return ((path, r.slug, r.title) for path, r in self._records.items() if r.readable)

    # ---- linking

    def link(self, found: Pass, world: World, bylines: Mapping[str, Byline]) -> set[str]:
        """Links every review that changed or whose answers did; the paths whose cards are others now."""
        if self._tree is not found.tree:
            return set()
        for path in self._stale(found, world, bylines):
            try:
                self._link(path, world, bylines.get(path))
            except UnsettledError:
                found.waiting.add(path)
        # The indexes of this pass's shelf are large, and the next pass makes its own.
        self._world = replace(world, shelf=Shelf(self._tree, self.titles))
        self._bylines = bylines
        for path in self._faulty - found.unsettled - found.waiting:
            found.problems += self._records[path].problems
            if self._records[path].card is None:
                found.broken.add(path)
        return self._deal(found)

    def _deal(self, found: Pass) -> set[str]:
        """Brings the cards up to date; the paths of those that are others than before."""
        # What is still being written is left out: what is public stays.
        out = found.broken | found.waiting | found.unsettled | found.unseen
        changed = set()
        for path in self._touched | self._left_out | out:
            record = self._records.get(path)
            card = record.card if record is not None and path not in out else None
            if card is not self.cards.get(path):
                changed.add(path)
                if card is None:
                    del self.cards[path]
                else:
                    self.cards[path] = card
        self._left_out = out
        return changed

    def _stale(self, found: Pass, world: World, bylines: Mapping[str, Byline]) -> list[str]:
        """Paths of the reviews that have to be linked (anew)."""
        records, before = self._records, self._world
        stale = {path for path in self._touched if path in records and records[path].answers is None}
        if before is None:
            stale |= {path for path, record in records.items() if self._lacks_pictures(record)}
            asking = set(records)
        else:
            asking = {path for key in self._keys for path in self._askers.get(key, ())}
        stale |= {
            p for p in asking - stale if _answers(records[p]).files != _files(p, records[p].asked, world)
        }
        stale |= {p for p in self._odd - stale if _answers(records[p]).byline != bylines.get(p)}
        if before is None or not _same_people(before, world):
            stale |= {
                path for path in records.keys() - stale
                if _answers(records[path]).names != _names(records[path].asked, world)
            }  # fmt: skip
        if before is None or found.concerns(FileKind.PICTURE):
            stale |= {path for path, r in records.items() if r.used and _pictures_differ(r, found.tree)}
        return sorted(path for path in stale - found.unsettled if records[path].readable)

    def _lacks_pictures(self, record: Record) -> bool:
        return not all((self._media / name).exists() for name in record.made)

    def _link(self, path: str, world: World, byline: Byline | None) -> None:
        record = self._records[path]
        draft = self._draft(path)
        asked = _asked(draft)
        linked = link_review(draft, byline, world)
        card = None
        if linked.value is not None:
            text = codec.encode(linked.value)
            card = card_of(linked.value, codec.digest(text))
            self._words[path] = zlib.compress(text.encode(), 1)
        linked_record = replace(
            record,
            asked=asked,
            answers=Answers(_names(asked, world), _files(path, asked, world), byline),
            card=record.card if card == record.card else card,
            problems=linked.problems,
            used=linked.used,
            made=_made(linked.value),
        )
        self._put(path, linked_record)
        self._touched.add(path)

    def _draft(self, path: str) -> ReviewDraft:
        """The draft of a file, out of this pass or read once more.

        Raises:
            UnsettledError: it changed since the pass began.
        """
        if path in self._drafts:
            draft: ReviewDraft = pickle.loads(zlib.decompress(self._drafts[path]))  # noqa: S301 - our own bytes
            return draft
        try:
            data = read(self._tree.entries[path])
        except (OSError, KeyError):
            data = None
        if data is None:
            raise UnsettledError(path)
        return drafts.read_review(data, path, self._defaults)

    def words(self, path: str) -> model.Review:
        """A review with its words.

        Raises:
            UnsettledError: its file changed since the pass.
        """
        if path in self._words:
            return codec.decode(model.Review, zlib.decompress(self._words[path]).decode())
        card, world = self._records[path].card, self._world
        assert card is not None, path
        assert world is not None, path
        review = link_review(self._draft(path), self._bylines.get(path), world).value
        if review is None or codec.digest(codec.encode(review)) != card.words_hash:
            raise UnsettledError(path)
        return review


def card_of(review: model.Review, words_hash: str) -> Card:
    """What of a review is kept."""
    return Card(
        path=review.path,
        title=review.title,
        slug=review.slug,
        words_hash=words_hash,
        body_hash=body_hash(review.body),
        explicit_slug=review.explicit_slug,
        authors=review.authors,
        byline_implied=review.byline_implied,
        published=review.published,
        date_only=review.date_only,
        draft=review.draft,
        drama=review.drama,
        federate=review.federate,
        imported_from=review.imported_from,
    )


def body_hash(body: str) -> str:
    """The hash of a text, blind to white space at its ends; "" for an empty one."""
    text = unicodedata.normalize("NFC", body).strip()
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


@cache
def reader_version() -> str:
    """A name for the way in which this release reads files: records of another one are of no use."""
    seen = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(
        [*folder.glob("*.py"), folder.parent / "model.py", folder.parent / "storage/codec.py"]
    ):
        seen.update(path.read_bytes())
    return seen.hexdigest()


def _name(record: Record) -> tuple[bool, str, str]:
    return record.readable, record.slug, record.title


def _asked(draft: ReviewDraft) -> Asked:
    files = [(target.picture, target.key) for target in draft.targets]
    if draft.image is not None:
        files.append((True, draft.image.value))
    inline = draft.inline_drama
    return Asked(
        people=tuple(ref.value for ref in draft.authors),
        signer=draft.signature.name if draft.signature and draft.authors else "",
        drama=inline.title if inline else draft.drama.value if draft.drama else "",
        files=tuple(files),
    )


def _answers(record: Record) -> Answers:
    return record.answers or Answers()


def _names(asked: Asked, world: World) -> tuple[str, ...]:
    people = (world.authors.only(name) for name in asked.people)
    default = "" if asked.people else world.default_author or ""
    drama = (world.dramas.find(asked.drama) or "") if asked.drama else ""
    signers = (known.slug for known in world.authors.match(asked.signer)) if asked.signer else ()
    return (*people, default, drama, *signers)


def _files(path: str, asked: Asked, world: World) -> tuple[str, ...]:
    shelf = world.shelf
    found = (
        shelf.picture(name, path) if picture else shelf.content(name, path) for picture, name in asked.files
    )
    return tuple(each or "" for each in (*found, shelf.beside(path)))


def _made(review: model.Review | None) -> tuple[str, ...]:
    """The names of the derived pictures that a review shows."""
    if review is None:
        return ()
    lead = review.image.picture if review.image else None
    return tuple(picture.name for picture in (lead, *(p for _key, p in review.pictures)) if picture)


def _same_people(before: World, after: World) -> bool:
    return (
        before.authors is after.authors
        and before.dramas is after.dramas
        and before.default_author == after.default_author
    )


def _pictures_differ(record: Record, tree: Tree) -> bool:
    entries = tree.entries
    return any(path not in entries or entries[path].stat != stat for path, stat in record.used)
