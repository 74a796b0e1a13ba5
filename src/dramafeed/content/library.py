"""The whole content folder, read and cross-checked: the only maker of `model.Library`.

One pass over names and times finds what changed; only that is read again. Will not know what was
published before, and raises nothing for what writers do: their mistakes are `Problem`s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from dramafeed import model
from dramafeed.model import FileFacts, Library, Picture, Problem, Severity, Site

from . import drafts, tree
from .drafts import AuthorDraft, ReviewDraft
from .front_matter import BadFileError
from .linking import Dramas, Linked, Pictures, UnsettledError, World, link_image, link_page, link_review
from .media import BadPictureError
from .people import Authors, Byline, Known, Signature, resolve_signatures
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
    facts: FileFacts
    draft: Any = None
    good: Any = None
    problems: tuple[Problem, ...] = ()


@dataclass
class _Pass:
    """One load: what the folder looks like and what has been found so far.

    `unsettled` files are still being written; of these, `unseen` ones are new and count as absent.
    `waiting` files are fine, but something they need is not there yet.
    """

    tree: Tree
    unsettled: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    young_pictures: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)

    def paths(self, kind: FileKind) -> list[str]:
        """The files of one kind that take part, in path order."""
        entries = self.tree.entries.items()
        return [path for path, e in entries if e.kind is kind and path not in self.unseen]

    def refuse(self, problem: Problem) -> None:
        """Notes an error: its file cannot be published as it is."""
        self.problems.append(problem)
        self.broken.add(problem.path)

    def refuse_second(self, taken: dict[str, str], key: str, path: str) -> None:
        """Refuses `path` when an earlier file has the address `key` already."""
        first = taken.setdefault(key, path)
        if first != path:
            message = f"{first} has the same address `{key}`"
            self.refuse(Problem(path, message, "Rename one of the two files."))

    def unpublishable(self, path: str) -> bool:
        """True when the file cannot take part in this library."""
        return path in self.broken or path in self.unsettled or path in self.waiting


class LibraryReader:
    """Reads the content folder again and again, each time at the price of what changed.

    Args:
        root: the content folder.
        media: where derived pictures go.
        settle_seconds: how long a file must have been left alone before it is believed; 0 in
            commands that read once.
    """

    def __init__(self, root: Path, media: Path, *, settle_seconds: float = 2.0) -> None:
        self.root = root
        self.unsettled = False
        self._media = media
        self._settle_ns = int(settle_seconds * 1e9)
        self._files: dict[str, _File] = {}
        self._linked: dict[str, tuple[tuple[Any, ...], Linked]] = {}
        self._pictures: dict[str, tuple[Stat, Picture | BadPictureError]] = {}
        self._defaults = Defaults()
        self._loaded = False
        self._authors = Authors(())
        self._dramas = Dramas({}, ())
        self._shelf_key: tuple[Any, ...] = ()
        self._shelf = Shelf({}, ())

    def load(self, *, now: datetime, fallback_site: Site | None = None) -> Library:
        """Reads what changed since the last call and puts the library together.

        Args:
            now: the time by which files are judged to be still in the making.
            fallback_site: the site as last known, whose time zone and defaults count while
                site.yaml cannot be read.
        """
        found = _Pass(tree.scan(self.root))
        self._sort_out(found, now)
        authors = self._read_authors(found)
        fields, site = self._read_site(found, authors, fallback_site)
        self._use_defaults(site)
        dramas = self._read_dramas(found)
        reviews = self._read_all(found, FileKind.REVIEW, self._read_review)
        bylines, newcomers = self._sign(reviews, authors)
        world = self._world(found, authors, newcomers, dramas, reviews, site)
        linked = self._link_all(found, world, reviews, bylines)
        pages = self._link_pages(found, world)
        people = self._public_authors(found, world, newcomers, linked, site)
        shown_site = self._public_site(found, world, fields, site)
        self._forget(found)
        self.unsettled = bool(found.unsettled or found.waiting or found.young_pictures)
        self._loaded = True
        return Library(
            site=shown_site,
            reviews=linked,
            authors=people,
            dramas=_public_dramas(found, dramas, reviews, linked),
            pages=pages,
            broken=frozenset(found.broken | found.waiting | found.unsettled - found.unseen),
            problems=tuple(sorted(found.problems, key=lambda p: (p.path, p.line, p.column))),
            facts={p: f.facts for p, f in self._files.items() if p not in found.unseen},
            complete=found.tree.complete,
            root_identity=found.tree.identity,
        )

    # ------------------------------------------------------------------ what takes part

    def _sort_out(self, found: _Pass, now: datetime) -> None:
        """Refuses links, twins and strays, and holds back what is still being written."""
        found.problems += found.tree.problems
        found.broken.update({p.path for p in found.tree.problems} - found.tree.entries.keys())
        for path, first in tree.twins(found.tree).items():
            message = f"The name differs from {first} only in capitals"
            found.refuse(Problem(path, message, "Rename one of the two."))
            found.unseen.add(path)
        now_ns = int((now - _EPOCH).total_seconds() * 1e9)
        for path, entry in found.tree.entries.items():
            if entry.kind is FileKind.STRAY:
                _note_stray(found, path)
            elif abs(now_ns - entry.stat[0]) < self._settle_ns and not self._is_known(entry):
                self._hold_back(found, entry)

    def _is_known(self, entry: Entry) -> bool:
        known = self._files.get(entry.path)
        return known is not None and known.stat == entry.stat

    def _hold_back(self, found: _Pass, entry: Entry) -> None:
        if entry.kind in tree.CONTENT:
            found.unsettled.add(entry.path)
            if self._loaded and entry.path not in self._files:
                found.unseen.add(entry.path)  # certainly new: as if it were not there yet
        elif entry.kind is FileKind.PICTURE:
            made = self._pictures.get(entry.path)
            if made is None or made[0] != entry.stat:
                found.young_pictures.add(entry.path)

    # ------------------------------------------------------------------ reading files

    def _read_all(self, found: _Pass, kind: FileKind, reader: Callable[[bytes, str], T]) -> dict[str, T]:
        """The drafts of one kind by path; failures become problems, and the rest goes on."""
        result: dict[str, T] = {}
        for path in found.paths(kind):
            file = self._read(found, path, reader)
            if file is not None and file.draft is not None:
                result[path] = file.draft
        return result

    def _read(self, found: _Pass, path: str, reader: Callable[[bytes, str], Any]) -> _File | None:
        """What is known of a file now; it is opened only when it changed."""
        entry = found.tree.entries[path]
        known = self._files.get(path)
        if known is None or known.stat != entry.stat:
            data = None if path in found.unsettled else _bytes(found, entry)
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
        facts = FileFacts(datetime.fromtimestamp(entry.stat[0] / 1e9, UTC))
        try:
            draft = reader(data, entry.path)
        except BadFileError as error:
            good = known.good if known else None
            return _File(entry.stat, facts, None, good, error.problems)
        return _File(entry.stat, facts, draft, draft)

    def _read_review(self, data: bytes, path: str) -> ReviewDraft:
        return drafts.read_review(data, path, self._defaults)

    def _use_defaults(self, site: Site) -> None:
        """New defaults make every review of the cache stale."""
        defaults = Defaults(ZoneInfo(site.timezone), site.spoilers)
        if defaults != self._defaults:
            self._defaults = defaults
            for path in [p for p in self._files if tree.classify(p) is FileKind.REVIEW]:
                self._files[path].stat = (0, 0, 0)

    def _forget(self, found: _Pass) -> None:
        """Drops what is gone; an incomplete pass proves nothing."""
        stores: tuple[dict[str, Any], ...] = (self._files, self._pictures, self._linked)
        for store in stores if found.tree.complete else ():
            for path in [p for p in store if p not in found.tree.entries]:
                del store[path]

    # ------------------------------------------------------------------ authors

    def _read_authors(self, found: _Pass) -> Authors:
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

    def _sign(
        self, reviews: Mapping[str, ReviewDraft], authors: Authors
    ) -> tuple[dict[str, Byline], tuple[model.Author, ...]]:
        """Finds out who wrote the plain texts whose front matter names nobody."""
        signatures = [
            Signature(
                path, draft.signature.name, draft.signature.bio, draft.signature.block.line,
                self._files[path].stat[0],
            )
            for path, draft in reviews.items()
            if draft.signature is not None and not draft.authors
        ]  # fmt: skip
        return resolve_signatures(signatures, authors)

    def _public_authors(
        self,
        found: _Pass,
        world: World,
        newcomers: Iterable[model.Author],
        reviews: Mapping[str, model.Review],
        site: Site,
    ) -> dict[str, model.Author]:
        signed = {slug for review in reviews.values() for slug in review.authors}
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
        self, found: _Pass, authors: Authors, fallback: Site | None
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

    def _public_site(self, found: _Pass, world: World, fields: SiteFields | None, site: Site) -> Site | None:
        path = next(iter(found.paths(FileKind.SITE)), None)
        if path is None:
            return site if found.tree.complete else None
        if fields is None:
            return None
        avatar = _portrait(found, world, fields.avatar, site.avatar, path)
        header = _portrait(found, world, fields.header, site.header, path)
        return None if found.unpublishable(path) else replace(site, avatar=avatar, header=header)

    # ------------------------------------------------------------------ the rest of the world

    def _read_dramas(self, found: _Pass) -> dict[str, model.Drama]:
        slugs: dict[str, str] = {}
        result: dict[str, model.Drama] = {}
        for path, drama in self._read_all(found, FileKind.DRAMA, drafts.read_drama).items():
            found.refuse_second(slugs, drama.slug, path)
            result.setdefault(drama.slug, drama)
        return result

    def _world(
        self,
        found: _Pass,
        authors: Authors,
        newcomers: Iterable[model.Author],
        dramas: Mapping[str, model.Drama],
        reviews: Mapping[str, ReviewDraft],
        site: Site,
    ) -> World:
        """All that reviews refer to; parts that are as before stay the same objects."""
        implied = [Known(author.slug, (author.name,), author.bio) for author in newcomers]
        everybody = Authors([*authors.known, *implied])
        self._authors = self._authors if self._authors == everybody else everybody
        unreadable = {drafts.stem_slug(p) for p in found.paths(FileKind.DRAMA)} - dramas.keys()
        inline = {d.slug: d for r in reviews.values() if (d := r.inline_drama) is not None}
        series = Dramas({**inline, **dramas}, unreadable)
        self._dramas = self._dramas if self._dramas == series else series
        titles = [(p, d.review.slug, d.review.title) for p, d in reviews.items()]
        shelf_key = (list(found.tree.entries), titles)
        if shelf_key != self._shelf_key:
            self._shelf_key = shelf_key
            self._shelf = Shelf(found.tree.entries, titles)
        pictures = Pictures(found.tree.entries, found.young_pictures, self._media, self._pictures)
        alone = authors.known[0].slug if len(authors.known) == 1 else None
        return World(self._authors, self._dramas, self._shelf, pictures, site.default_author or alone)

    # ------------------------------------------------------------------ linking

    def _link_all(
        self, found: _Pass, world: World, reviews: Mapping[str, ReviewDraft], bylines: Mapping[str, Byline]
    ) -> dict[str, model.Review]:
        result: dict[str, model.Review] = {}
        for path, draft in reviews.items():
            if path in found.waiting:
                continue
            byline = bylines.get(path)
            key = _inputs(draft, byline, world)
            known = self._linked.get(path)
            if known is None or known[0] != key or not _same_pictures(found, known[1]):
                try:
                    known = key, link_review(draft, byline, world)
                except UnsettledError:
                    found.waiting.add(path)
                    continue
                self._linked[path] = known
            found.problems += known[1].problems
            if known[1].value is None:
                found.broken.add(path)
            else:
                result[path] = known[1].value
        return result

    def _link_pages(self, found: _Pass, world: World) -> dict[str, model.Page]:
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


def _bytes(found: _Pass, entry: Entry) -> bytes | None:
    try:
        data = tree.read(entry)
    except FileNotFoundError:
        found.unseen.add(entry.path)  # deleted since the pass
        return None
    except OSError as error:
        message = f"The file cannot be read ({error.strerror})"
        found.refuse(Problem(entry.path, message, "Check its rights."))
        return None
    if data is None:
        found.unsettled.add(entry.path)
    return data


def _note_stray(found: _Pass, path: str) -> None:
    problem = tree.stray_problem(path)
    found.problems.append(problem)
    if problem.severity is Severity.ERROR:
        found.broken.add(path)


def _check_handle(found: _Pass, draft: AuthorDraft, taken: dict[str, str]) -> None:
    """Two actors cannot have one handle: the second by path has to choose another one."""
    ref, path = draft.handle, draft.author.path
    if ref is None or draft.author.handle is None:
        return
    first = taken.setdefault(draft.author.handle, path)  # an unreadable file keeps what it had
    if first != path and not found.unpublishable(path):
        message = f"The handle `{draft.author.handle}` belongs to {first} already"
        found.refuse(Problem(path, message, "Choose another one.", ref.line, ref.column, field=ref.field))


def _resolve(found: _Pass, authors: Authors, ref: Ref, path: str) -> str | None:
    slug = authors.resolve(ref, path)
    if isinstance(slug, Problem):
        found.refuse(slug)
        return None
    return slug


def _portrait(
    found: _Pass, world: World, ref: Ref | None, image: model.Image | None, path: str
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


def _inputs(draft: ReviewDraft, byline: Byline | None, world: World) -> tuple[Any, ...]:
    """All that decides how a review is linked, pictures' states excepted."""
    return (
        draft,
        byline,
        world.authors if draft.authors else None,
        world.default_author,
        world.dramas if draft.drama or draft.inline_drama else None,
        world.shelf if draft.targets or draft.image else None,
        world.shelf.beside(draft.review.path),
    )


def _same_pictures(found: _Pass, linked: Linked) -> bool:
    entries = found.tree.entries
    return all(path in entries and entries[path].stat == stat for path, stat in linked.used)


def _public_dramas(
    found: _Pass,
    dramas: Mapping[str, model.Drama],
    inline_drafts: Mapping[str, ReviewDraft],
    reviews: Mapping[str, model.Review],
) -> dict[str, model.Drama]:
    """Dramas of files, and those that only exist inside published reviews."""
    result = {slug: d for slug, d in dramas.items() if not found.unpublishable(d.path)}
    with_file = {drafts.stem_slug(path) for path in found.paths(FileKind.DRAMA)}
    for path, review in reviews.items():
        inline = inline_drafts[path].inline_drama
        if inline is None or review.drama != inline.slug or inline.slug in with_file:
            continue
        known = result.get(inline.slug)
        result[inline.slug] = _merged(known, inline) if known else inline
    return dict(sorted(result.items()))


def _merged(first: model.Drama, second: model.Drama) -> model.Drama:
    """Facts that two reviews give of one drama: the first by path wins, the second fills gaps."""
    gaps = {f.name: getattr(second, f.name) for f in fields(first) if not getattr(first, f.name)}
    return replace(first, **gaps)


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
