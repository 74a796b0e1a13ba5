"""The whole content folder, read and cross-checked: the only maker of `model.Library`.

One pass over names and times finds what changed; only that is read again. Will not know what was
published before, and raises nothing for what writers do: their mistakes are `Problem`s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast
from zoneinfo import ZoneInfo

from dramafeed import model
from dramafeed.model import Card, FileFacts, Library, Picture, Problem, Severity, Site
from dramafeed.storage import codec

from . import drafts, tree
from .drafts import AuthorDraft
from .front_matter import BadFileError
from .linking import Dramas, Pictures, UnsettledError, World, link_image, link_page
from .media import BadPictureError
from .one_pass import Pass
from .people import Authors, Known, resolve_signatures
from .review_files import ReviewFiles, reader_version
from .schema import Defaults, Ref, SiteFields
from .shelf import Shelf
from .tree import Entry, FileKind, Stat, Tree

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _File:
    """What is known of one file: its state when it was read, and what came of it.

    `draft` is None after a failure; `good` is the last draft that could be read, for names only.
    """

    stat: Stat
    draft: Any = None
    good: Any = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class _Kept:
    """What was found out about the files of one kind."""

    value: Any
    problems: tuple[Problem, ...]
    broken: set[str]


class _DramaFiles(NamedTuple):
    """The dramas that have files, and the slugs of those whose files cannot be read."""

    dramas: Mapping[str, model.Drama]
    unreadable: set[str]


class LibraryReader:
    """Reads the content folder again and again, each time at the price of what changed.

    Args:
        root: the content folder.
        media: where derived pictures go.
        settle_seconds: how long a file must have been left alone before it is believed; 0 in
            commands that read once.
        look: tells what is in the folder; a pass over all of it, unless somebody watches it already.
    """

    def __init__(
        self,
        root: Path,
        media: Path,
        *,
        settle_seconds: float = 2.0,
        look: Callable[[], Tree] | None = None,
    ) -> None:
        self.root = root
        self.unsettled = False
        self._media = media
        self._settle_ns = int(settle_seconds * 1e9)
        self._look = look or self._scan
        self._seen: Tree | None = None
        self._pending: set[str] | None = None  # what the next load has to look at; None: everything
        self._kept: dict[FileKind, _Kept] = {}
        self._files: dict[str, _File] = {}
        self._reviews = ReviewFiles(media)
        self._pictures: dict[str, tuple[Stat, Picture | BadPictureError]] = {}
        self._defaults = Defaults()
        self._maker = ""  # of the records that were recalled
        self._loaded = False
        self._authors = Authors(())
        self._dramas = Dramas({}, ())
        self._dramas_of: tuple[Any, ...] = ()  # what `_dramas` was made of
        self._public: tuple[Any, dict[str, model.Drama]] = ((), {})
        self._mergers: dict[model.Drama, model.Drama] = {}  # so that equal ones stay the same object

    def load(self, *, now: datetime, fallback_site: Site | None = None) -> Library:
        """Reads what changed since the last call and puts the library together.

        Args:
            now: the time by which files are judged to be still in the making.
            fallback_site: the site as last known, whose time zone and defaults count while
                site.yaml cannot be read.
        """
        found = self._begin()
        self._sort_out(found, now)
        authors = self._read_authors(found)
        fields, site = self._read_site(found, authors, fallback_site)
        self._use_defaults(site)
        dramas = self._once(found, FileKind.DRAMA, self._read_dramas)
        self._reviews.parse(found, self._defaults)
        bylines, newcomers = resolve_signatures(self._reviews.signatures, authors)
        world = self._world(found, authors, newcomers, dramas, site)
        changed = self._reviews.link(found, world, bylines)
        cards = self._reviews.cards
        pages = self._link_pages(found, world)
        people = self._public_authors(found, world, newcomers, cards, site)
        shown_site = self._public_site(found, world, fields, site)
        public_dramas = self._public_dramas(found, dramas, cards)
        self._end(found)
        first, self._loaded = not self._loaded, True
        return Library(
            site=shown_site,
            cards=cards,
            reviews=_Words(cards, self._reviews.words),
            changed=None if first else frozenset(changed | found.broken | found.waiting | found.unsettled),
            authors=people,
            dramas=public_dramas,
            pages=pages,
            broken=frozenset(found.broken | found.waiting | found.unsettled - found.unseen),
            problems=tuple(sorted(found.problems, key=lambda p: (p.path, p.line, p.column))),
            facts=_Facts(found),
            complete=found.tree.complete,
            root_identity=found.tree.identity,
        )

    def _scan(self) -> Tree:
        found = tree.scan(self.root, self._seen)
        self._seen = found if found.complete else self._seen
        return found

    def _begin(self) -> Pass:
        """Look at the folder. What changed stays to be looked at until a pass has come to its end."""
        seen = self._look()
        if self._pending is None or seen.changed is None:
            self._pending = None
        else:
            self._pending |= seen.changed
        return Pass(seen, None if self._pending is None else set(self._pending))

    def _end(self, found: Pass) -> None:
        self._forget(found)
        self.unsettled = bool(found.unsettled or found.waiting or found.young_pictures)
        if found.tree.complete:
            self._pending = found.unread | (found.broken & found.refused)

    # ------------------------------------------------------------------ one process after the other

    @property
    def maker(self) -> str:
        """A name for the way in which files are read now; records of another maker are of no use."""
        defaults = codec.digest(f"{self._defaults.zone} {codec.encode(self._defaults.spoilers)}")
        return f"{reader_version()} {defaults}"

    def recall(self, maker: str, records: Iterable[tuple[str, str]]) -> None:
        """Takes up what an earlier process stored of `unsaved`, before the first `load`.

        Args:
            maker: the `maker` of the earlier process.
            records: (path, text) of each file.
        """
        self._maker = maker
        self._reviews.recall(maker.partition(" ")[0], records)

    @property
    def has_unsaved(self) -> bool:
        """True when `unsaved` has something to tell."""
        return self._reviews.has_unsaved

    def unsaved(self) -> dict[str, str | None]:
        """What is worth storing and changed since the last question: text by path, None: the file went."""
        return self._reviews.unsaved()

    def release(self) -> None:
        """Lets go of the words of reviews; they are read anew when somebody asks for them."""
        self._reviews.release()

    # ------------------------------------------------------------------ what takes part

    def _sort_out(self, found: Pass, now: datetime) -> None:
        """Refuses links, twins and strays, and holds back what is still being written."""
        found.problems += found.tree.problems
        found.broken.update({p.path for p in found.tree.problems} - found.tree.entries.keys())
        for path, first in tree.twins(found.tree).items():
            message = f"The name differs from {first} only in capitals"
            found.refuse(Problem(path, message, "Rename one of the two."))
            found.unseen.add(path)
        for path in sorted(found.tree.kinds[FileKind.STRAY]):
            _note_stray(found, path)
        now_ns = int((now - _EPOCH).total_seconds() * 1e9)
        entries = found.tree.entries
        for path in (entries.keys() if found.changed is None else found.changed) if self._settle_ns else ():
            entry = entries.get(path)
            if entry and abs(now_ns - entry.stat[0]) < self._settle_ns and not self._is_known(entry):
                self._hold_back(found, entry)

    def _is_known(self, entry: Entry) -> bool:
        if entry.kind is FileKind.REVIEW:
            return self._reviews.knows(entry)
        known = self._files.get(entry.path)
        return known is not None and known.stat == entry.stat

    def _hold_back(self, found: Pass, entry: Entry) -> None:
        if entry.kind in tree.CONTENT:
            found.unsettled.add(entry.path)
            if self._loaded and not self._was_read(entry):
                found.unseen.add(entry.path)  # certainly new: as if it were not there yet
        elif entry.kind is FileKind.PICTURE:
            made = self._pictures.get(entry.path)
            if made is None or made[0] != entry.stat:
                found.young_pictures.add(entry.path)

    def _was_read(self, entry: Entry) -> bool:
        return entry.path in self._files or entry.path in self._reviews

    # ------------------------------------------------------------------ reading files

    def _once(self, found: Pass, kind: FileKind, make: Callable[[Pass], T]) -> T:
        """What `make` finds out about the files of one kind: the same again while none of them changed."""
        kept = self._kept.get(kind)
        if kept is not None and not found.concerns(kind):
            found.problems += kept.problems
            found.broken |= kept.broken
            return cast("T", kept.value)
        problems, broken = len(found.problems), set(found.broken)
        value = make(found)
        self._kept[kind] = _Kept(value, tuple(found.problems[problems:]), found.broken - broken)
        return value

    def _read_all(self, found: Pass, kind: FileKind, reader: Callable[[bytes, str], T]) -> dict[str, T]:
        """The drafts of one kind by path; failures become problems, and the rest goes on."""
        result: dict[str, T] = {}
        for path in found.paths(kind):
            file = self._read(found, path, reader)
            if file is not None and file.draft is not None:
                result[path] = file.draft
        return result

    def _read(self, found: Pass, path: str, reader: Callable[[bytes, str], Any]) -> _File | None:
        """What is known of a file now; it is opened only when it changed."""
        entry = found.tree.entries[path]
        known = self._files.get(path)
        if known is None or known.stat != entry.stat:
            data = found.read(entry)
            if data is None:
                return None
            known = self._parse(entry, data, reader, known)
            self._files[path] = known
        found.problems += known.problems
        if known.draft is None:
            found.broken.add(path)
        return known

    def _parse(
        self, entry: Entry, data: bytes, reader: Callable[[bytes, str], Any], known: _File | None
    ) -> _File:
        try:
            draft = reader(data, entry.path)
        except BadFileError as error:
            return _File(entry.stat, None, known.good if known else None, error.problems)
        return _File(entry.stat, draft, draft)

    def _use_defaults(self, site: Site) -> None:
        """New defaults make every record of a review useless."""
        before = self.maker if self._loaded else self._maker
        self._defaults = Defaults(ZoneInfo(site.timezone), site.spoilers)
        if self.maker != before:
            self._reviews.start_again()

    def _forget(self, found: Pass) -> None:
        """Drops what is gone; an incomplete pass proves nothing."""
        stores: tuple[dict[str, Any], ...] = (self._files, self._pictures)
        for store in stores if found.tree.complete else ():
            for path in [p for p in store if p not in found.tree.entries]:
                del store[path]

    # ------------------------------------------------------------------ authors

    def _read_authors(self, found: Pass) -> Authors:
        """The authors that files describe, the last good form of unreadable ones included."""
        slugs: dict[str, str] = {}
        for path, draft in self._read_all(found, FileKind.AUTHOR, drafts.read_author).items():
            found.refuse_second(slugs, draft.author.slug, path)
        return Authors(self._known_author(path) for path in found.paths(FileKind.AUTHOR))

    def _known_author(self, path: str) -> Known:
        file = self._files.get(path)
        if file is None or file.good is None:
            return Known(drafts.stem_slug(path), (), path=path, readable=False)
        author: model.Author = file.good.author
        return Known(author.slug, (author.name, *author.aliases), author.bio, path)

    def _public_authors(
        self,
        found: Pass,
        world: World,
        newcomers: Sequence[model.Author],
        cards: Mapping[str, Card],
        site: Site,
    ) -> dict[str, model.Author]:
        signed = {slug for card in cards.values() for slug in card.authors} if newcomers else set()
        result = {author.slug: author for author in newcomers if author.slug in signed}
        handles = {site.handle: "the site"}
        for path in found.paths(FileKind.AUTHOR):
            file = self._files.get(path)
            if file is not None and file.good is not None:
                _check_handle(found, file.good, handles)
            if file is None or found.unpublishable(path):
                continue
            draft: AuthorDraft = file.draft
            found.problems += draft.problems
            portrait = _portrait(found, world, draft.avatar, draft.author.avatar, path)
            if not found.unpublishable(path):
                result[draft.author.slug] = replace(draft.author, avatar=portrait)
        return dict(sorted(result.items()))

    # ------------------------------------------------------------------ site

    def _read_site(
        self, found: Pass, authors: Authors, fallback: Site | None
    ) -> tuple[SiteFields | None, Site]:
        """site.yaml as it stands (None: it cannot be used), and the site whose defaults count."""
        paths = found.paths(FileKind.SITE)
        for path in paths[1:]:
            fix = "Delete one of the two files."
            found.refuse(Problem(path, f"The site is described in {paths[0]} already", fix))
        if not paths:
            return None, (Site() if found.tree.complete else fallback or Site())
        file = self._read(found, paths[0], drafts.read_site)
        if file is None or file.draft is None:
            known = self._files.get(paths[0])
            last = known.good.site if known and known.good else None
            if last is None and fallback is None and paths[0] in found.unsettled:
                # Dates freeze when they are published: never in a time zone that is not yet known.
                found.waiting.update(found.paths(FileKind.REVIEW))
            return None, fallback or last or Site()
        fields: SiteFields = file.draft
        default = fields.default_author and _resolve(found, authors, fields.default_author, paths[0])
        editors = [_resolve(found, authors, ref, paths[0]) for ref in fields.editors]
        site = replace(
            fields.site, default_author=default or None, editors=tuple(editor for editor in editors if editor)
        )
        return fields, site

    def _public_site(self, found: Pass, world: World, fields: SiteFields | None, site: Site) -> Site | None:
        path = next(iter(found.paths(FileKind.SITE)), None)
        if path is None:
            return site if found.tree.complete else None
        if fields is None:
            return None
        avatar = _portrait(found, world, fields.avatar, site.avatar, path)
        header = _portrait(found, world, fields.header, site.header, path)
        return None if found.unpublishable(path) else replace(site, avatar=avatar, header=header)

    # ------------------------------------------------------------------ the rest of the world

    def _read_dramas(self, found: Pass) -> _DramaFiles:
        slugs: dict[str, str] = {}
        result: dict[str, model.Drama] = {}
        for path, drama in self._read_all(found, FileKind.DRAMA, drafts.read_drama).items():
            found.refuse_second(slugs, drama.slug, path)
            result.setdefault(drama.slug, drama)
        files = ((path, self._files.get(path)) for path in found.paths(FileKind.DRAMA))
        unreadable = {drafts.stem_slug(path) for path, file in files if file is None or file.draft is None}
        return _DramaFiles(result, unreadable - result.keys())

    def _world(
        self,
        found: Pass,
        authors: Authors,
        newcomers: Iterable[model.Author],
        dramas: _DramaFiles,
        site: Site,
    ) -> World:
        """All that reviews refer to; parts that are as before stay the same objects."""
        implied = [Known(author.slug, (author.name,), author.bio) for author in newcomers]
        everybody = Authors([*authors.known, *implied])
        self._authors = self._authors if self._authors == everybody else everybody
        self._dramas = self._all_dramas(dramas)
        shelf = Shelf(found.tree, self._reviews.titles)
        pictures = Pictures(found.tree.entries, found.young_pictures, self._media, self._pictures)
        alone = authors.known[0].slug if len(authors.known) == 1 else None
        return World(self._authors, self._dramas, shelf, pictures, site.default_author or alone)

    def _all_dramas(self, files: _DramaFiles) -> Dramas:
        inline = list(self._reviews.inline_dramas.values())
        if self._dramas_of and self._dramas_of[0] is files and self._dramas_of[1] == inline:
            return self._dramas
        self._dramas_of = files, inline
        series = Dramas({**{d.slug: d for d in inline}, **files.dramas}, files.unreadable)
        return self._dramas if self._dramas == series else series

    def _public_dramas(
        self, found: Pass, files: _DramaFiles, cards: Mapping[str, Card]
    ) -> dict[str, model.Drama]:
        """Dramas of files, and those that only exist inside published reviews."""
        inline = [
            drama
            for path, drama in self._reviews.inline_dramas.items()
            if path in cards and cards[path].drama == drama.slug
        ]
        kept_back = {p for p in found.broken | found.unsettled | found.waiting if p.startswith("dramas/")}
        made_of = (files, inline, kept_back)
        if self._public[0] != made_of:
            result = {slug: d for slug, d in files.dramas.items() if d.path not in kept_back}
            for drama in inline:
                if drama.slug not in files.dramas and drama.slug not in files.unreadable:
                    known = result.get(drama.slug)
                    result[drama.slug] = self._merged(known, drama) if known else drama
            self._public = made_of, dict(sorted(result.items()))
        return self._public[1]

    def _merged(self, first: model.Drama, second: model.Drama) -> model.Drama:
        """Facts that two reviews give of one drama: the first by path wins, the second fills gaps."""
        gaps = {f.name: getattr(second, f.name) for f in fields(first) if not getattr(first, f.name)}
        merged = replace(first, **gaps)
        return first if merged == first else self._mergers.setdefault(merged, merged)

    # ------------------------------------------------------------------ linking

    def _link_pages(self, found: Pass, world: World) -> dict[str, model.Page]:
        slugs: dict[str, str] = {}
        result: dict[str, model.Page] = {}
        for path, draft in self._read_all(found, FileKind.PAGE, drafts.read_page).items():
            found.refuse_second(slugs, draft.page.slug, path)
            if path in found.broken:
                continue
            try:
                page, problems = link_page(draft, world)
            except UnsettledError:
                found.waiting.add(path)
                continue
            found.problems += problems
            result[page.slug] = page
        return dict(sorted(result.items()))


# ---------------------------------------------------------------------------- steps


class _Words(Mapping[str, model.Review]):
    """The reviews by path, their words read when somebody asks."""

    def __init__(self, cards: Mapping[str, Card], read: Callable[[str], model.Review]) -> None:
        self._cards = cards
        self._read = read

    def __getitem__(self, path: str) -> model.Review:
        return self._read(self._cards[path].path)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._cards))

    def __len__(self) -> int:
        return len(self._cards)


class _Facts(Mapping[str, FileFacts]):
    """What the file system knows of the content files of one pass."""

    def __init__(self, found: Pass) -> None:
        self._entries, self._unseen = found.tree.entries, found.unseen

    def __getitem__(self, path: str) -> FileFacts:
        entry = self._entries[path]
        if path in self._unseen or entry.kind not in tree.CONTENT:
            raise KeyError(path)
        return FileFacts(datetime.fromtimestamp(entry.stat[0] / 1e9, UTC))

    def __iter__(self) -> Iterator[str]:
        entries = self._entries.items()
        return (path for path, e in entries if e.kind in tree.CONTENT and path not in self._unseen)

    def __len__(self) -> int:
        return sum(1 for _path in self)


def _note_stray(found: Pass, path: str) -> None:
    problem = tree.stray_problem(path)
    found.problems.append(problem)
    if problem.severity is Severity.ERROR:
        found.broken.add(path)


def _check_handle(found: Pass, draft: AuthorDraft, taken: dict[str, str]) -> None:
    """Two actors cannot have one handle: the second by path has to choose another one."""
    ref, path = draft.handle, draft.author.path
    if ref is None or draft.author.handle is None:
        return
    first = taken.setdefault(draft.author.handle, path)  # an unreadable file keeps what it had
    if first != path and not found.unpublishable(path):
        message = f"The handle `{draft.author.handle}` belongs to {first} already"
        found.refuse(Problem(path, message, "Choose another one.", ref.line, ref.column, field=ref.field))


def _resolve(found: Pass, authors: Authors, ref: Ref, path: str) -> str | None:
    slug = authors.resolve(ref, path)
    if isinstance(slug, Problem):
        found.refuse(slug)
        return None
    return slug


def _portrait(
    found: Pass, world: World, ref: Ref | None, image: model.Image | None, path: str
) -> model.Image | None:
    """The avatar or header that a file asks for."""
    try:
        shown, problems = link_image(ref, image, path, world)
    except UnsettledError:
        found.waiting.add(path)
        return image
    found.problems += problems
    if any(problem.severity is Severity.ERROR for problem in problems):
        found.broken.add(path)
    return shown


def load(
    root: Path,
    media: Path,
    *,
    now: datetime | None = None,
    settle_seconds: float = 0.0,
    fallback_site: Site | None = None,
) -> Library:
    """Reads the content folder once.

    Args:
        root: the content folder.
        media: where derived pictures go.
        now: the present moment, for tests.
        settle_seconds: as in `LibraryReader`; 0 believes every file at once.
        fallback_site: as in `LibraryReader.load`.
    """
    reader = LibraryReader(root, media, settle_seconds=settle_seconds)
    return reader.load(now=now or datetime.now(UTC), fallback_site=fallback_site)
