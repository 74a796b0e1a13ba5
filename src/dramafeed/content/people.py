"""Who wrote it: names in front matter and at the end of plain texts become authors.

A misspelt name must never open a second public account, so whatever is close to a known author is a
problem with the fix, not a new author. Works on values; will not read files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dramafeed.model import Author, Problem, Severity

from .names import fold_to_ascii, is_near, name_key, nearest, one_line, person_slug, slugify
from .schema import Ref


@dataclass(frozen=True)
class Known:
    """An author that names are compared with; `path` is "" for one implied by a plain text."""

    slug: str
    names: tuple[str, ...]
    bio: str = ""
    path: str = ""
    readable: bool = True  # False: the file exists, but what it says is not known


@dataclass(frozen=True)
class Signature:
    """The author block of one plain text; `age` orders the texts (older first)."""

    path: str
    name: str
    bio: str
    line: int
    age: int


@dataclass(frozen=True)
class Byline:
    """What became of a signature: the author's slug, or None with an error among `problems`."""

    slug: str | None
    problems: tuple[Problem, ...] = ()


class Authors:
    """The known authors of one state of the folder.

    Args:
        known: authors from files, then those implied by plain texts.
    """

    def __init__(self, known: Iterable[Known]) -> None:
        self.known = tuple(known)
        self._matched: dict[str, list[Known]] = {}
        self._by_name: dict[str, dict[str, Known]] = {}
        for author in self.known:
            for name in (author.slug, *author.names):
                self._by_name.setdefault(name_key(name), {})[author.slug] = author

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Authors) and self.known == other.known

    __hash__ = None  # type: ignore[assignment]  # compared, never a key

    def match(self, name: str) -> list[Known]:
        """The authors who go by this slug, name or alias."""
        if name not in self._matched:
            found = (self._by_name.get(spelling(name)) for spelling in (name_key, slugify, person_slug))
            self._matched[name] = list(next(filter(None, found), {}).values())
        return self._matched[name]

    def only(self, name: str) -> str:
        """The slug of the one author who goes by a name; "" for nobody, and for several."""
        found = self.match(name)
        return found[0].slug if len(found) == 1 else ""

    def resolve(self, ref: Ref, path: str) -> str | Problem:
        """The slug that front matter means, or the problem with it."""
        found = self.match(ref.value)
        if len(found) == 1:
            return found[0].slug
        if found:
            slugs = " or ".join(sorted(author.slug for author in found))
            message, fix = f"Several authors are called `{ref.value}`", f"Write {slugs}."
        else:
            message, fix = f"The author `{ref.value}` is unknown", self._advice(ref.value)
        return Problem(path, message, fix, ref.line, ref.column, field=ref.field)

    def _advice(self, name: str) -> str:
        words = {name_key(word): author.slug for author in self.known
                 for word in (author.slug, *author.names)}  # fmt: skip
        near = nearest(name, words)
        if near:
            return f"Did you mean `{words[near]}`?"
        slug = person_slug(name) or "name"
        listing = ", ".join(sorted(author.slug for author in self.known)[:10])
        known = f"Known are: {listing}. " if listing else ""
        return f"{known}To add a new author, write a file authors/{slug}.md."

    def near(self, name: str, bio: str) -> Known | None:
        """The author whom an unknown name probably means: nearly the same name, or the same bio."""
        key = bio_key(bio)
        for author in self.known:
            if any(is_near(name, known) for known in author.names):
                return author
            if len(key) >= 20 and key == bio_key(author.bio):
                return author
        return None

    @property
    def unreadable(self) -> list[Known]:
        """Authors whose files exist, but whose names nobody knows at the moment."""
        return [author for author in self.known if not author.readable]


def bio_key(bio: str) -> str:
    """The form in which two spellings of one bio are equal."""
    return name_key(one_line(bio))


# ---------------------------------------------------------------------------- plain texts


@dataclass
class _Newcomer:
    """A name that no file knows, with all texts that are signed with it."""

    name: str
    slug: str
    signatures: list[Signature] = field(default_factory=list)

    @property
    def rank(self) -> tuple[int, int, str]:
        """Who keeps the name when two are nearly equal: more texts, then older, then by path."""
        oldest = min(self.signatures, key=lambda s: (s.age, s.path))
        return -len(self.signatures), oldest.age, oldest.path


def resolve_signatures(
    signatures: Sequence[Signature], authors: Authors
) -> tuple[dict[str, Byline], tuple[Author, ...]]:
    """Finds the author of every signed plain text.

    Args:
        signatures: in path order.
        authors: those from files.

    Returns:
        The byline of each path, and the authors that exist only through these texts.
    """
    bylines: dict[str, Byline] = {}
    newcomers: dict[str, _Newcomer] = {}
    for signature in signatures:
        found = authors.match(signature.name)
        if len(found) == 1:
            bylines[signature.path] = _known_author(signature, found[0])
        elif found:
            bylines[signature.path] = _ambiguous(signature, found)
        else:
            slug = person_slug(signature.name)
            newcomer = newcomers.setdefault(slug, _Newcomer(signature.name, slug))
            newcomer.signatures.append(signature)
    implied: list[Author] = []
    for newcomer in sorted(newcomers.values(), key=lambda n: n.rank):
        others = [*authors.known, *(Known(a.slug, (a.name,), a.bio) for a in implied)]
        implied.extend(_introduce(newcomer, Authors(others), bylines))
    return bylines, tuple(sorted(implied, key=lambda author: author.slug))


def _known_author(signature: Signature, author: Known) -> Byline:
    if not author.path or bio_key(author.bio) == bio_key(signature.bio):
        return Byline(author.slug)
    message = f"The bio differs from the one in {author.path}, which is the one that is shown"
    fix = "Change it there if this one is better."
    return Byline(author.slug, (_warn(signature, message, fix),))


def _ambiguous(signature: Signature, found: list[Known]) -> Byline:
    slugs = " or ".join(sorted(author.slug for author in found))
    fix = f"Write author: {slugs} in front matter at the top."
    return Byline(None, (_refuse(signature, f"Several authors are called {signature.name}", fix),))


def _introduce(newcomer: _Newcomer, authors: Authors, bylines: dict[str, Byline]) -> list[Author]:
    """One new author, or a problem in each text when the name is too close to a known one."""
    near = authors.near(newcomer.name, newcomer.signatures[0].bio)
    if near is not None or authors.unreadable:
        for signature in newcomer.signatures:
            problem = _near_miss(signature, near) if near else _not_now(signature, authors)
            bylines[signature.path] = Byline(None, (problem,))
        return []
    first = newcomer.signatures[0]
    for signature in newcomer.signatures:
        account = _account(newcomer.name)
        warning = _warn(
            signature,
            f"{signature.name} is new here and gets a public account of their own ({account})",
            f"To choose name and account yourself, write authors/{newcomer.slug}.md.",
        )
        bylines[signature.path] = Byline(newcomer.slug, (warning, *_other_bio(signature, first)))
    return [Author(newcomer.slug, newcomer.name, bio=first.bio, implied=True)]


def _account(name: str) -> str:
    """The handle that will be made of a name, as far as it is known before the account exists."""
    folded = fold_to_ascii(name)
    handle = slugify(folded or "").replace("-", "_")
    return f"@{handle}" if handle and len(handle) <= 30 else "@author_..."


def _other_bio(signature: Signature, first: Signature) -> list[Problem]:
    if bio_key(signature.bio) == bio_key(first.bio):
        return []
    message = f"The bio differs from the one in {first.path}, which is the one that is shown"
    return [_warn(signature, message, f"Write it into authors/{person_slug(first.name)}.md.")]


def _near_miss(signature: Signature, near: Known) -> Problem:
    name = near.names[0] if near.names else near.slug
    message = f"The author {signature.name} is unknown, but looks like {name}"
    slug = person_slug(signature.name)
    fix = f"Write {name}; if this is somebody else, write authors/{slug}.md."
    return _refuse(signature, message, fix)


def _not_now(signature: Signature, authors: Authors) -> Problem:
    broken = ", ".join(author.path for author in authors.unreadable)
    message = f"Whether {signature.name} is a known author cannot be told"
    return _refuse(signature, message, f"First repair {broken}.")


def _refuse(signature: Signature, message: str, fix: str) -> Problem:
    return Problem(signature.path, message, fix, signature.line)


def _warn(signature: Signature, message: str, fix: str) -> Problem:
    return Problem(signature.path, message, fix, signature.line, 1, Severity.WARNING)
