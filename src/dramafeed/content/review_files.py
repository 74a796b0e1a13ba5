"""The review files of the folder: each is read and linked when it, or what it refers to, changed.

In between only a `Record` is kept of each, without its words, so that ten thousand reviews take little
memory. A record says what the review asked of the other files and what they answered; while the answers stay
the same, so does the review. Records can be stored as text and taken up by the next process.
"""

from __future__ import annotations

import hashlib
import pickle
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

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

    `files` are the pictures (True) and reviews that it names, `keys` all keys of the shelf that can matter.
    """

    people: tuple[str, ...] = ()
    signer: str = ""
    drama: str = ""
    files: tuple[tuple[bool, str], ...] = ()
    keys: tuple[str, ...] = ()


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
        self._records: dict[str, Record] = {}
        self._drafts: dict[str, bytes] = {}  # of the files that this pass parsed
        self._words: dict[str, bytes] = {}  # of the reviews that this pass linked
        self._keys: set[str] = set()  # of the shelf, that this pass changed
        self._unsaved: set[str] = set()
        self._defaults = Defaults()
        self._tree = Tree(complete=False)
        self._world: World | None = None  # in which the answers were given
        self._bylines: Mapping[str, Byline] = {}

    # ---- one process after the other

    def recall(self, rows: Iterable[tuple[str, str]]) -> None:
        """Takes up the records that an earlier process stored under the same `maker`."""
        self._records = {path: codec.decode(Record, text) for path, text in rows}

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
        self._unsaved |= self._records.keys()
        self._records.clear()

    def release(self) -> None:
        """Lets go of what only the pass needed; words are read anew when somebody asks."""
        self._drafts.clear()
        self._words.clear()

    # ---- reading

    def parse(self, found: Pass, defaults: Defaults) -> None:
        """Reads the files that changed. A folder that cannot be looked into any more proves nothing."""
        self.release()
        self._defaults = defaults
        if self._tree.complete and not found.tree.complete:
            return
        self._keys = self._keys_moved(found.tree)
        for entry in found.entries(FileKind.REVIEW):
            known = self._records.get(entry.path)
            if known is not None and known.stat == entry.stat:
                continue
            data = found.read(entry)
            if data is not None:
                self._take(entry.path, self._parsed(data, entry.path, entry.stat))
        self._tree = found.tree
        self._forget(found.tree)

    def _keys_moved(self, after: Tree) -> set[str]:
        """The shelf's keys of all files that came or went."""
        if self._world is None or self._tree is after:
            return set()
        moved = self._tree.entries.keys() ^ after.entries.keys()
        return {key for path in moved for key in keys_offered(path)}

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

    def _take(self, path: str, record: Record) -> None:
        """A file was parsed: what others may have called it by, and may call it by now, counts as changed."""
        before = self._records.get(path)
        for each in (before, record) if before is None or _name(before) != _name(record) else ():
            if each is not None and each.readable:
                self._keys.update(keys_offered(path, each.slug, each.title))
        self._records[path] = replace(record, card=before.card) if before and record.readable else record
        self._unsaved.add(path)

    def _forget(self, tree: Tree) -> None:
        """Drops what is gone; an incomplete look proves nothing."""
        gone = self._records.keys() - tree.entries.keys() if tree.complete else ()
        for path in gone:
            record = self._records.pop(path)
            self._keys.update(keys_offered(path, record.slug, record.title))
            self._unsaved.add(path)

    # ---- what others may ask before the reviews are linked

    @property
    def signatures(self) -> list[Signature]:
        """The author blocks of plain texts whose front matter names nobody."""
        found = [r.signature for r in self._records.values() if r.signature is not None]
        return sorted(found, key=lambda signature: signature.path)

    @property
    def inline_dramas(self) -> dict[str, model.Drama]:
        """Dramas that are written inside reviews, by the review's path."""
        found = [(path, r.inline) for path, r in self._records.items() if r.inline is not None]
        return dict(sorted(found, key=lambda item: item[0]))

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

    def link(self, found: Pass, world: World, bylines: Mapping[str, Byline]) -> dict[str, Card]:
        """Links every review that changed or whose answers did; the cards of all that can be published."""
        for path in self._stale(found, world, bylines):
            try:
                self._link(path, world, bylines.get(path))
            except UnsettledError:
                found.waiting.add(path)
        entries = self._tree.entries
        # The indexes of this pass's shelf are large, and the next pass makes its own.
        self._world = replace(world, shelf=Shelf(entries, world.shelf.pictures, self.titles))
        self._bylines = bylines
        return self._tell(found)

    def _tell(self, found: Pass) -> dict[str, Card]:
        """The cards in path order; problems and broken files go to the pass."""
        cards: dict[str, Card] = {}
        for entry in found.entries(FileKind.REVIEW):
            path = entry.path
            record = self._records.get(path)
            if record is None or record.stat != entry.stat or path in found.waiting:
                continue  # still being written: what is public stays
            if record.problems:
                found.problems += record.problems
            if record.card is None:
                found.broken.add(path)
            elif path not in found.broken:
                cards[path] = record.card
        return cards

    def _stale(self, found: Pass, world: World, bylines: Mapping[str, Byline]) -> list[str]:
        """Paths of the reviews that have to be linked (anew)."""
        before = self._world
        people = before is None or not _same_people(before, world)
        stale = []
        for path, record in self._records.items():
            if not record.readable or path in found.unsettled:
                continue
            answers, asked = record.answers, record.asked
            if (
                answers is None
                or path in self._drafts
                or (people and answers.names != _names(asked, world))
                or (record.signature is not None and answers.byline != bylines.get(path))
                or (
                    (before is None or not self._keys.isdisjoint(asked.keys))
                    and answers.files != _files(path, asked, world)
                )
                or (record.used and _pictures_differ(record, found.tree))
                or (before is None and self._lacks_pictures(record))
            ):
                stale.append(path)
        return stale

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
        self._records[path] = replace(
            record,
            asked=asked,
            answers=Answers(_names(asked, world), _files(path, asked, world), byline),
            card=record.card if card == record.card else card,
            problems=linked.problems,
            used=linked.used,
            made=_made(linked.value),
        )
        self._unsaved.add(path)

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
        keys=tuple(sorted(keys_asked(draft.review.path, (name for _picture, name in files)))),
    )


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
