"""What the fields of each kind of file are called, and what they must hold.

Strings with positions go in, model dataclasses (or all `Problem`s of the file at once) come out.
Will not look at other files: slugs of authors and dramas, and names of pictures, stay as written
(`Ref`) until the library resolves them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    PlainValidator,
    Tag,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from dramafeed import model
from dramafeed.model import Problem, Severity

from . import values
from .front_matter import BadFileError, Fields, Items, Node, Text
from .names import nearest

M = TypeVar("M", bound=BaseModel)
SchemaName = Literal["review", "author", "drama", "page", "site"]


@dataclass(frozen=True)
class Ref:
    """Something in another file, as written, with the place where it is written."""

    value: str
    line: int
    column: int
    field: str = ""


@dataclass(frozen=True)
class Defaults:
    """What site.yaml says for reviews that say nothing."""

    zone: tzinfo = UTC
    spoilers: model.Spoilers = field(default_factory=model.Spoilers)


@dataclass(frozen=True)
class ReviewFields:
    """A review's front matter, typed. `review` has no body, authors, drama or picture yet."""

    review: model.Review
    authors: tuple[Ref, ...] = ()
    drama: Ref | None = None
    inline_drama: model.Drama | None = None
    image: Ref | None = None
    trailer_given: bool = False
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class AuthorFields:
    """An author's front matter, typed, without bio and avatar picture."""

    author: model.Author
    avatar: Ref | None = None
    handle: Ref | None = None


@dataclass(frozen=True)
class SiteFields:
    """site.yaml, typed; `default_author` and `editors` are as written."""

    site: model.Site
    avatar: Ref | None = None
    header: Ref | None = None
    default_author: Ref | None = None
    editors: tuple[Ref, ...] = ()


# ---------------------------------------------------------------------------- field types
# What editors see of a field (its JSON Schema) stands beside the function that reads it.

_TEXT = WithJsonSchema({"type": "string"})
_LIST = WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}})
_PEOPLE = WithJsonSchema({"type": ["string", "array"]})
_NUMBER = WithJsonSchema({"type": ["integer", "string"]})
_URL = WithJsonSchema({"type": "string", "format": "uri"})
_FACTS = WithJsonSchema({"type": ["string", "object"]})


def _one_of(*known: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": list(known)})


def _choice(*known: str) -> PlainValidator:
    return PlainValidator(partial(values.choice, known=known))


def _moment(value: object, info: ValidationInfo) -> values.Moment:
    return values.moment(value, (info.context or {})["zone"])


def _kind(value: object) -> model.Kind:
    return values.member(value, model.Kind)


def _status(value: object) -> model.AuthorStatus:
    return values.member(value, model.AuthorStatus)


Texts = tuple[str, ...]
TextField = Annotated[str, PlainValidator(values.text), _TEXT]
TitleField = Annotated[str, PlainValidator(values.title), _TEXT]
NameField = Annotated[str, PlainValidator(values.name), _TEXT]
TextsField = Annotated[Texts, PlainValidator(values.texts), _LIST]
WordsField = Annotated[Texts, PlainValidator(values.words), _LIST]
TagsField = Annotated[Texts, PlainValidator(values.tags), _LIST]
PathsField = Annotated[Texts, PlainValidator(values.paths), _LIST]
YesNoField = Annotated[bool, PlainValidator(values.yes_no), WithJsonSchema({"type": ["boolean", "string"]})]
NumberField = Annotated[int, PlainValidator(values.number), _NUMBER]
EpisodesField = Annotated[str, PlainValidator(values.episodes), _NUMBER]
UrlField = Annotated[str, PlainValidator(values.url), _URL]
SlugField = Annotated[str, PlainValidator(values.slug), _TEXT]
LanguageField = Annotated[str, PlainValidator(values.language), _TEXT]
ZoneField = Annotated[str, PlainValidator(values.timezone_name), _TEXT]
HandleField = Annotated[str, PlainValidator(values.handle), _TEXT]
AccountField = Annotated[str, PlainValidator(values.account), _TEXT]
MoveField = Annotated[str, PlainValidator(values.account_or_url), _TEXT]
TrailerField = Annotated[str, PlainValidator(values.trailer), _TEXT]
DateField = Annotated[values.Moment, PlainValidator(_moment), _TEXT]
ReleasedField = Annotated[str, PlainValidator(values.released), _TEXT]
RatingField = Annotated[model.Rating, PlainValidator(values.rating), _FACTS]
SpoilersField = Annotated[model.Spoilers, PlainValidator(values.spoilers), _TEXT]
LinksField = Annotated[
    tuple[model.Link, ...], PlainValidator(values.links), WithJsonSchema({"type": ["array", "object"]})
]
CastField = Annotated[tuple[model.Role, ...], PlainValidator(values.cast), _PEOPLE]
SourceField = Annotated[model.Source, PlainValidator(values.source), _FACTS]
IdsField = Annotated[
    tuple[tuple[str, str], ...], PlainValidator(values.ids), WithJsonSchema({"type": "object"})
]
KindField = Annotated[model.Kind, PlainValidator(_kind), _one_of(*model.Kind)]
StatusField = Annotated[model.AuthorStatus, PlainValidator(_status), _one_of(*model.AuthorStatus)]
FederateField = Annotated[model.Federate, PlainValidator(values.federate), _one_of(*model.Federate)]
CommentsField = Annotated[str, PlainValidator(values.comments), _one_of("open", "approve", "closed")]

# ---------------------------------------------------------------------------- the files


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Image(_Strict):
    file: TextField = ""
    alt: TextField = ""
    credit: TextField = ""
    credit_url: UrlField = ""
    caption: TextField = ""
    license: TextField = ""


def _image(value: object) -> object:
    return {"file": value} if isinstance(value, str) else value


ImageField = Annotated[_Image, BeforeValidator(_image)]


class _Federation(_Strict):
    object: Annotated[str, _choice("note", "article"), _one_of("note", "article")] | None = None
    body: Annotated[str, _choice("teaser", "full"), _one_of("teaser", "full")] | None = None
    media: Annotated[str, _choice("poster", "card"), _one_of("poster", "card")] | None = None

    def typed(self) -> model.Federation:
        return model.Federation(self.object, self.body, self.media)


class _Drama(_Strict):
    title: TitleField
    title_native: TextField = ""
    title_romanized: TextField = ""
    aliases: TextsField = ()
    released: ReleasedField = ""
    year: ReleasedField = ""
    platform: TextField = ""
    network: TextField = ""
    episodes: NumberField | None = None
    seasons: NumberField | None = None
    status: TextField = ""
    based_on: SourceField | None = None
    writers: WordsField = ()
    directors: WordsField = ()
    cast: CastField = ()
    genres: WordsField = ()
    country: TextField = ""
    ids: IdsField = ()

    def typed(self, slug: str, path: str, *, implied: bool) -> model.Drama:
        merged = ("released", "year", "platform", "network")
        same = {name: getattr(self, name) for name in type(self).model_fields if name not in merged}
        return model.Drama(
            slug=slug,
            path=path,
            implied=implied,
            released=self.released or self.year,
            platform=", ".join(part for part in (self.network, self.platform) if part),
            **same,
        )


_TAGS = ("drama-slug", "drama-facts")


def _drama_form(value: object) -> str:
    return _TAGS[not isinstance(value, str)]


DramaField = Annotated[
    Annotated[str, PlainValidator(values.title), _TEXT, Tag(_TAGS[0])] | Annotated[_Drama, Tag(_TAGS[1])],
    Discriminator(_drama_form),
]


class _Review(_Strict):
    title: TitleField
    kind: KindField = model.Kind.REVIEW
    author: TextsField = ()
    authors: TextsField = ()
    published: DateField | None = None
    updated: DateField | None = None
    correction: TextField = ""
    draft: YesNoField = False
    drama: DramaField | None = None
    season: NumberField | None = None
    episodes_covered: EpisodesField = ""
    rating: RatingField | None = None
    verdict: TextField = ""
    summary: TextField = ""
    spoilers: SpoilersField | None = None
    content_notes: WordsField = ()
    image: ImageField | None = None
    trailer: TrailerField = ""
    tags: TagsField = ()
    lang: LanguageField = ""
    slug: SlugField = ""
    redirect_from: PathsField = ()
    canonical_url: UrlField = ""
    comments: CommentsField = ""
    federate: FederateField = model.Federate.YES
    federation: _Federation = _Federation()
    imported_from: TextField = ""


class _PlainReview(_Review):
    title: TitleField = ""  # the `[Kind] Title` line has it


class _Author(_Strict):
    name: NameField
    aliases: TextsField = ()
    handle: HandleField | None = None
    avatar: ImageField | None = None
    pronouns: TextField = ""
    links: LinksField = ()
    fediverse: AccountField = ""
    guest: YesNoField = False
    status: StatusField = model.AuthorStatus.ACTIVE
    moved_to: MoveField = ""


class _Page(_Strict):
    title: TitleField
    slug: SlugField = ""


class _Site(_Strict):
    title: TitleField = "dramafeed"
    description: TextField = ""
    language: LanguageField = "en"
    timezone: ZoneField = "UTC"
    handle: HandleField = "blog"
    links: LinksField = ()
    default_author: TextField = ""
    editors: TextsField = ()
    spoilers: SpoilersField = model.Spoilers()
    federation: _Federation = _Federation()
    avatar: ImageField | None = None
    header: ImageField | None = None


_MODELS: dict[SchemaName, type[BaseModel]] = {
    "review": _Review,
    "author": _Author,
    "drama": _Drama,
    "page": _Page,
    "site": _Site,
}


def json_schema(kind: SchemaName) -> dict[str, Any]:
    """The JSON Schema of one kind of file, for editors that complete and check fields."""
    schema = _MODELS[kind].model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": kind}


# ---------------------------------------------------------------------------- readers


def read_review(fields: Fields, path: str, defaults: Defaults, *, plain_text: bool = False) -> ReviewFields:
    """Types the front matter of a review.

    Args:
        fields: as `front_matter.split` found them (empty for a bare text file).
        path: of the review, for the messages.
        defaults: time zone and spoiler level of the site.
        plain_text: the title may come from the `[Kind] Title` line.

    Raises:
        BadFileError: with all problems of the front matter.
    """
    typed = _validate(_PlainReview if plain_text else _Review, fields, path, defaults.zone)
    warnings = _review_warnings(fields, typed, path)
    drama = typed.drama
    inline = drama.typed("", "", implied=True) if isinstance(drama, _Drama) else None
    return ReviewFields(
        review=_review(typed, path, defaults),
        authors=_author_refs(fields, path),
        drama=_ref(fields, "drama") if isinstance(drama, str) and drama else None,
        inline_drama=inline,
        image=_image_ref(fields, "image", typed.image),
        trailer_given=bool(typed.trailer),
        warnings=tuple(warnings),
    )


def _review(typed: _Review, path: str, defaults: Defaults) -> model.Review:
    plain = {
        name: getattr(typed, name)
        for name in (
            "title",
            "kind",
            "correction",
            "draft",
            "season",
            "episodes_covered",
            "rating",
            "verdict",
            "summary",
            "content_notes",
            "trailer",
            "tags",
            "lang",
            "slug",
            "redirect_from",
            "canonical_url",
            "comments",
            "federate",
            "imported_from",
        )
    }
    published, updated = typed.published, typed.updated
    return model.Review(
        path=path,
        body="",
        published=published.instant if published else None,
        date_only=bool(published and published.date_only),
        updated=updated.instant if updated else None,
        spoilers=defaults.spoilers if typed.spoilers is None else typed.spoilers,
        image=_as_image(typed.image),
        explicit_slug=bool(typed.slug),
        federation=typed.federation.typed(),
        **plain,
    )


def _review_warnings(fields: Fields, typed: _Review, path: str) -> list[Problem]:
    warnings: list[Problem] = []
    if typed.published and typed.updated and typed.updated.instant < typed.published.instant:
        message, fix = "`updated` lies before `published`", "Write the later date, or leave it out."
        warnings.append(_problem(fields, ("updated",), path, message, fix, Severity.WARNING))
    if typed.image and not typed.image.file and typed.image.alt:
        message, fix = ("The image has an `alt` text but no `file`", "Add file: and the picture's name.")
        warnings.append(_problem(fields, ("image",), path, message, fix, Severity.WARNING))
    return warnings


def read_author(fields: Fields, path: str, slug: str) -> AuthorFields:
    """Types the front matter of an author's file; `slug` comes from the file's name.

    Raises:
        BadFileError: with all problems of the front matter.
    """
    typed = _validate(_Author, fields, path)
    names = [n for n in type(typed).model_fields if n != "avatar"]
    author = model.Author(
        slug=slug, path=path, avatar=_as_image(typed.avatar), **{n: getattr(typed, n) for n in names}
    )
    return AuthorFields(author, _image_ref(fields, "avatar", typed.avatar), _ref(fields, "handle"))


def read_drama(fields: Fields, path: str, slug: str) -> model.Drama:
    """Types a file of drama facts.

    Raises:
        BadFileError: with all its problems.
    """
    return _validate(_Drama, fields, path).typed(slug, path, implied=False)


def read_page(fields: Fields, path: str) -> tuple[str, str]:
    """Types the front matter of a page: its title and the slug it asks for ("" = none).

    Raises:
        BadFileError: with all problems of the front matter.
    """
    typed = _validate(_Page, fields, path)
    return typed.title, typed.slug


def read_site(fields: Fields, path: str) -> SiteFields:
    """Types site.yaml.

    Raises:
        BadFileError: with all its problems.
    """
    typed = _validate(_Site, fields, path)
    usual, wish = model.Site().federation, typed.federation
    site = model.Site(
        avatar=_as_image(typed.avatar),
        header=_as_image(typed.header),
        federation=model.Federation(
            wish.object or usual.object, wish.body or usual.body, wish.media or usual.media
        ),
        **{
            name: getattr(typed, name)
            for name in ("title", "description", "language", "timezone", "handle", "links", "spoilers")
        },
    )
    return SiteFields(
        site=site,
        avatar=_image_ref(fields, "avatar", typed.avatar),
        header=_image_ref(fields, "header", typed.header),
        default_author=_ref(fields, "default_author") if typed.default_author else None,
        editors=tuple(_refs(fields, "editors")),
    )


def _as_image(image: _Image | None) -> model.Image | None:
    if image is None:
        return None
    known = image.model_dump(exclude={"file"})
    return model.Image(**known) if image.file or any(known.values()) else None


# ---------------------------------------------------------------------------- references


def _author_refs(fields: Fields, path: str) -> tuple[Ref, ...]:
    both = "author" in fields.values and "authors" in fields.values
    refs = [*_refs(fields, "author"), *_refs(fields, "authors")]
    if both and refs:
        message, fix = "Both `author` and `authors` are given", "Keep one of the two."
        raise BadFileError(_problem(fields, ("authors",), path, message, fix))
    return tuple({ref.value: ref for ref in refs}.values())


def _refs(fields: Fields, name: str) -> list[Ref]:
    node = fields.values.get(name)
    nodes = node.values if isinstance(node, Items) else (node,)
    return [
        Ref(values.text(n.value), n.line, n.column, name)
        for n in nodes
        if isinstance(n, Text) and not _is_empty(n)
    ]


def _ref(fields: Fields, name: str) -> Ref | None:
    refs = _refs(fields, name)
    return refs[0] if refs else None


def _image_ref(fields: Fields, name: str, image: _Image | None) -> Ref | None:
    if image is None or not image.file:
        return None
    node = fields.values[name]
    node = node.values["file"] if isinstance(node, Fields) else node
    return Ref(image.file, node.line, node.column, name)


# ---------------------------------------------------------------------------- validation


def _is_empty(node: Node) -> bool:
    return isinstance(node, Text) and (not node.value.strip() or (node.plain and node.value in ("~", "null")))


def _plain(node: Node) -> Any:
    """The tree without positions and without what was left empty."""
    if isinstance(node, Fields):
        return {key: _plain(value) for key, value in node.values.items() if not _is_empty(value)}
    if isinstance(node, Items):
        return [_plain(value) for value in node.values if not _is_empty(value)]
    return node.value


def _validate(kind: type[M], fields: Fields, path: str, zone: tzinfo = UTC) -> M:
    try:
        return kind.model_validate(_plain(fields), context={"zone": zone})
    except ValidationError as error:
        problems = [_explain(kind, fields, path, one) for one in error.errors(include_url=False)]
        raise BadFileError(*_once(problems)) from None


def _once(problems: list[Problem]) -> list[Problem]:
    """Without repetitions: a field with two accepted forms is complained about once."""
    seen: dict[tuple[int, int, str], Problem] = {}
    for problem in problems:
        seen.setdefault((problem.line, problem.column, problem.message), problem)
    return sorted(seen.values(), key=lambda p: (p.line, p.column))


def _explain(kind: type[BaseModel], fields: Fields, path: str, error: Any) -> Problem:
    where = tuple(part for part in error["loc"] if part not in _TAGS)
    problem = partial(_problem, fields, where, path)
    if error["type"] == "missing":
        return problem(f"`{where[-1]}` is missing", f"Add a line: {where[-1]}: ...")
    if error["type"] == "extra_forbidden":
        parent = _locate(fields, where[:-1])
        key = parent.keys[str(where[-1])] if isinstance(parent, Fields) else parent
        message, fix = f"`{where[-1]}` is unknown", _did_you_mean(kind, where)
        return Problem(path, message, fix, key.line, key.column, field=str(where[-1]))
    mistake = error.get("ctx", {}).get("error")
    if isinstance(mistake, values.MistakeError):
        return problem(str(mistake), mistake.fix)
    return problem("This value has the wrong form", f"Write {where[0]}: and its fields below it.")


def _did_you_mean(kind: type[BaseModel], where: tuple[str | int, ...]) -> str:
    known = _known(kind, where[:-1])
    near = nearest(str(where[-1]), known)
    if near:
        return f"Did you mean `{near}`?"
    return f"Known are: {', '.join(known)}." if len(known) < 20 else "Delete it, or move it into the text."


_NESTED: dict[str, type[BaseModel]] = {
    "image": _Image,
    "avatar": _Image,
    "header": _Image,
    "drama": _Drama,
    "federation": _Federation,
}


def _known(kind: type[BaseModel], parents: tuple[str | int, ...]) -> list[str]:
    inner = _NESTED[str(parents[0])] if parents else kind
    return list(inner.model_fields)


def _problem(
    fields: Fields,
    where: tuple[str | int, ...],
    path: str,
    message: str,
    fix: str,
    severity: Severity = Severity.ERROR,
) -> Problem:
    node = _locate(fields, where)
    name = ".".join(str(part) for part in where)
    return Problem(path, message, fix, node.line, node.column, severity, name)


def _locate(fields: Fields, where: tuple[str | int, ...]) -> Node:
    """The deepest node on the way to `where`; an unknown field is where its name is."""
    node: Node = fields
    for part in where:
        if isinstance(node, Fields) and str(part) in node.values:
            child = node.values[str(part)]
            if _is_empty(child):
                return node.keys[str(part)]
            node = child
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.values):
            node = node.values[part]
        else:
            break
    return node
