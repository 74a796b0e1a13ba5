"""Drafts meet each other: authors, dramas, links and pictures of one review become real ones.

Everything here is about one review (or page) at a time; the world it looks into comes as arguments.
Pictures are the only thing that is written, through media.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dramafeed import model
from dramafeed.model import Picture, Problem, Severity

from .body_check import Target
from .drafts import PageDraft, ReviewDraft
from .media import BadPictureError, ingest
from .names import name_key, nearest, slugify
from .people import Authors, Byline
from .schema import Ref
from .shelf import Shelf
from .tree import Entry, Stat


class UnsettledError(Exception):
    """A picture that is needed is still being written: look again soon."""


@dataclass(frozen=True)
class Linked:
    """What became of a review's draft; `value` is None when an error keeps it from the public."""

    value: model.Review | None
    problems: tuple[Problem, ...]
    used: tuple[tuple[str, Stat], ...] = ()  # pictures, in the state in which they were read, good or bad


class Pictures:
    """Derived pictures by source, each made once for as long as its source stays the same.

    Args:
        entries: all files of the folder.
        unsettled: paths that are still being written.
        media: where derived pictures go.
        known: what earlier passes made; this pass adds to it.
    """

    def __init__(
        self,
        entries: Mapping[str, Entry],
        unsettled: Iterable[str],
        media: Path,
        known: dict[str, tuple[Stat, Picture | BadPictureError]],
    ) -> None:
        self._entries = entries
        self._unsettled = frozenset(unsettled)
        self._media = media
        self._known = known

    def make(self, path: str) -> Picture:
        """The derived picture of a source.

        Raises:
            BadPictureError: it cannot be shown.
            UnsettledError: it is still being written.
        """
        if path in self._unsettled:
            raise UnsettledError(path)
        entry = self._entries[path]
        known = self._known.get(path)
        if known is None or known[0] != entry.stat:
            known = (entry.stat, self._ingest(entry))
            self._known[path] = known
        if isinstance(known[1], BadPictureError):
            raise known[1]
        return known[1]

    def state(self, path: str) -> Stat:
        """The state of a source, whether it can be shown or not."""
        return self._entries[path].stat

    def _ingest(self, entry: Entry) -> Picture | BadPictureError:
        try:
            return ingest(Path(entry.real), self._media)
        except BadPictureError as error:
            return error


@dataclass(frozen=True)
class World:
    """What one review can refer to."""

    authors: Authors
    dramas: Dramas
    shelf: Shelf
    pictures: Pictures
    default_author: str | None


class Dramas:
    """The known dramas of one state of the folder.

    Args:
        dramas: by slug, those from files first.
        unreadable: slugs whose files exist but cannot be read.
    """

    def __init__(self, dramas: Mapping[str, model.Drama], unreadable: Iterable[str]) -> None:
        self._dramas = dict(dramas)
        self._unreadable = frozenset(unreadable)
        self._names: dict[str, str] = {}
        for slug, drama in self._dramas.items():
            for name in (drama.title, drama.title_native, drama.title_romanized, *drama.aliases):
                self._names.setdefault(name_key(name), slug)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Dramas)
            and self._names == other._names
            and self._dramas.keys() == other._dramas.keys()
            and self._unreadable == other._unreadable
        )

    __hash__ = None  # type: ignore[assignment]  # compared, never a key

    def find(self, name: str) -> str | None:
        """The slug of the drama that goes by this slug, title or alias."""
        slug = slugify(name)
        if slug in self._dramas or slug in self._unreadable:
            return slug
        return self._names.get(name_key(name)) if name else None

    def advice(self, name: str) -> str:
        """What to write instead of an unknown name."""
        slugs = self._dramas.keys() | self._unreadable
        near = nearest(slugify(name), slugs)
        if near:
            return f"Did you mean `{near}`?"
        if name != slugify(name):
            return f'Write drama: {{title: "{name}"}}, or add dramas/{slugify(name)}.yaml.'
        return f"Add a file dramas/{slugify(name)}.yaml, or write drama: {{title: ...}}."


# ---------------------------------------------------------------------------- one review


def link_review(draft: ReviewDraft, byline: Byline | None, world: World) -> Linked:
    """Resolves all that a review's draft refers to.

    Args:
        draft: the review by itself.
        byline: what its signature means, when it has one and front matter names nobody.
        world: everything else in the folder.

    Raises:
        UnsettledError: a picture it needs is still being written.
    """
    path = draft.review.path
    problems = list(draft.problems)
    used: dict[str, Stat] = {}
    authors = _authors(draft, byline, world, problems)
    image = _image(draft.image, draft.review.image, path, world, problems, used)
    if image is not None and draft.image is None and image.picture is None:
        image = _picture_beside(image, path, world, problems, used)
    elif image is None:
        image = _picture_beside(model.Image(), path, world, problems, used)
    links, pictures = _targets(draft.targets, path, world, problems, used)
    review = replace(
        draft.review,
        authors=authors or ((world.default_author,) if world.default_author else ()),
        byline_implied=not authors,
        body=_body(draft, authors, world, problems),
        drama=_drama(draft, world, problems),
        image=image,
        links=links,
        pictures=pictures,
    )
    failed = any(problem.severity is Severity.ERROR for problem in problems)
    return Linked(None if failed else review, tuple(problems), tuple(used.items()))


def _authors(
    draft: ReviewDraft, byline: Byline | None, world: World, problems: list[Problem]
) -> tuple[str, ...]:
    if draft.authors:
        resolved = [world.authors.resolve(ref, draft.review.path) for ref in draft.authors]
        problems += [r for r in resolved if isinstance(r, Problem)]
        return tuple(dict.fromkeys(r for r in resolved if isinstance(r, str)))
    if byline is None:
        return ()
    problems += byline.problems
    return (byline.slug,) if byline.slug else ()


def _body(draft: ReviewDraft, authors: tuple[str, ...], world: World, problems: list[Problem]) -> str:
    """The body; a last block that does not name an author of front matter is text after all."""
    block = draft.signature
    if block is None or not draft.authors:
        return draft.review.body
    if any(known.slug in authors for known in world.authors.match(block.name)):
        return draft.review.body
    message = f"The last block names {block.name}, who is no author in the front matter"
    fix = "It is shown as text; delete it, or change the author."
    problems.append(Problem(draft.review.path, message, fix, block.block.line, 1, Severity.WARNING))
    return draft.unsigned


def _drama(draft: ReviewDraft, world: World, problems: list[Problem]) -> str | None:
    if draft.inline_drama is not None:
        return world.dramas.find(draft.inline_drama.title) or draft.inline_drama.slug
    ref = draft.drama
    if ref is None:
        return None
    slug = world.dramas.find(ref.value)
    if slug is None:
        message = f"The drama `{ref.value}` is unknown"
        problems.append(_error(ref, draft.review.path, message, world.dramas.advice(ref.value)))
    return slug


def _error(ref: Ref, path: str, message: str, fix: str) -> Problem:
    return Problem(path, message, fix, ref.line, ref.column, field=ref.field)


# ---------------------------------------------------------------------------- pictures


def _image(
    ref: Ref | None,
    image: model.Image | None,
    path: str,
    world: World,
    problems: list[Problem],
    used: dict[str, Stat],
) -> model.Image | None:
    """The image that front matter asks for."""
    if ref is None or image is None:
        return image
    source = world.shelf.picture(ref.value, path)
    if source is None:
        problems.append(_no_picture(ref, path, world.shelf))
        return image
    try:
        used[source] = world.pictures.state(source)
        picture = world.pictures.make(source)
    except BadPictureError as error:
        problems.append(_error(ref, path, f"{source}: {error.message}", error.fix))
        return image
    if not image.alt:
        message = "The image has no description for people who cannot see it"
        fix = 'Add alt: "what the picture shows" to it.'
        problems.append(Problem(path, message, fix, ref.line, ref.column, Severity.WARNING, ref.field))
    return replace(image, picture=picture)


def _no_picture(ref: Ref, path: str, shelf: Shelf) -> Problem:
    if "://" in ref.value:
        fix = "Save it beside this file and write its name; pictures elsewhere are never shown."
        return _error(ref, path, f"`{ref.value}` is no file in the content folder", fix)
    near = shelf.nearest_picture(ref.value)
    fix = f"Did you mean {near}?" if near else "Put it beside this file."
    return _error(ref, path, f"There is no picture `{ref.value}`", fix)


def _picture_beside(
    image: model.Image, path: str, world: World, problems: list[Problem], used: dict[str, Stat]
) -> model.Image | None:
    """The picture with the review's own name, when front matter names none."""
    source = world.shelf.beside(path)
    if source is None:
        return image if image != model.Image() else None
    try:
        used[source] = world.pictures.state(source)
        picture = world.pictures.make(source)
    except BadPictureError as error:
        problems.append(Problem(source, error.message, error.fix, severity=Severity.WARNING))
        return image if image != model.Image() else None
    if not image.alt:
        name = source.rsplit("/", 1)[-1]
        message = f"The picture {name} has no description for people who cannot see it"
        fix = f'Write image: {{file: {name}, alt: "what it shows"}} in front matter at the top.'
        problems.append(Problem(path, message, fix, severity=Severity.WARNING))
    return replace(image, picture=picture)


# ---------------------------------------------------------------------------- the body's targets


def _targets(
    targets: Iterable[Target], path: str, world: World, problems: list[Problem], used: dict[str, Stat]
) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, Picture], ...]]:
    links: list[tuple[str, str]] = []
    pictures: list[tuple[str, Picture]] = []
    for target in targets:
        warn = partial(_warn, target, path, problems)
        if target.picture:
            picture = _embedded(target, path, world, warn, used)
            pictures += [(target.key, picture)] if picture else []
        else:
            found = _linked_review(target, path, world.shelf, warn)
            links += [(target.key, found)] if found else []
    return tuple(links), tuple(pictures)


_Warn = Callable[[str, str], None]


def _warn(target: Target, path: str, problems: list[Problem], message: str, fix: str) -> None:
    problems.append(Problem(path, message, fix, target.line, target.column, Severity.WARNING))


def _embedded(target: Target, path: str, world: World, warn: _Warn, used: dict[str, Stat]) -> Picture | None:
    source = world.shelf.picture(target.key, path)
    if source is None:
        near = world.shelf.nearest_picture(target.key)
        fix = f"Did you mean {near}?" if near else "Put it beside this file."
        warn(f"There is no picture `{target.key}`", fix)
        return None
    try:
        used[source] = world.pictures.state(source)
        picture = world.pictures.make(source)
    except BadPictureError as error:
        warn(f"{source}: {error.message}", error.fix)
        return None
    return picture


def _linked_review(target: Target, path: str, shelf: Shelf, warn: _Warn) -> str | None:
    found = shelf.content(target.key, path)
    if found is not None and found.startswith("reviews/"):
        return found
    if found is not None:
        warn(f"`{target.key}` is no review", "Link to its address, for example /about/.")
    elif target.key.startswith("www."):
        warn(f"`{target.key}` is no file here", f"Write https://{target.key}")
    else:
        near = shelf.nearest_review(target.key)
        fix = f"Did you mean {near}?" if near else "Check its name; until then it is plain text."
        warn(f"There is no review `{target.key}` to link to", fix)
    return None


def link_page(draft: PageDraft, world: World) -> tuple[model.Page, tuple[Problem, ...]]:
    """Resolves the pictures of a page.

    Raises:
        UnsettledError: one of them is still being written.
    """
    problems = list(draft.problems)
    pictures: list[tuple[str, Picture]] = []
    for target in draft.targets:
        warn = partial(_warn, target, draft.page.path, problems)
        if target.picture:
            picture = _embedded(target, draft.page.path, world, warn, {})
            pictures += [(target.key, picture)] if picture else []
        else:
            fix = "Link to its address, for example /reviews/my-review/."
            warn(f"`{target.key}` is a file, and a page links to addresses only", fix)
    return replace(draft.page, pictures=tuple(pictures)), tuple(problems)


def link_image(
    ref: Ref | None, image: model.Image | None, path: str, world: World
) -> tuple[model.Image | None, tuple[Problem, ...]]:
    """Resolves one picture that front matter names, such as an avatar.

    Raises:
        UnsettledError: it is still being written.
    """
    problems: list[Problem] = []
    return _image(ref, image, path, world, problems, {}), tuple(problems)
