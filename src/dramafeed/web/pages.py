"""The pages that people read, and what belongs to them: pictures, the files of the theme, old addresses.

Every page is a finished document, a function of the database alone. A view finds what its address means; the
values for the templates come from `shown`, the frame from `theme`. Addresses that are not quite right (an old
slug, a missing slash) lead to the right one in one hop.

Templates and what they are given besides `frame` and `head` (see `theme`):

- home.html, list.html, author.html, drama.html: `title`, `cards`, `count`, `number` (of an older page, else
  None), `older` and `newer` (addresses or ""), `feeds`; home also `writers`, author also `person`, drama also
  `show` and `facts`
- review.html: `card`, `body`, `kind`, `standfirst`, `part`, `picture`, `verdict`, `notes`, `trailer`,
  `correction`, `updated`, `tags`, `writers`, `show`, `facts`, `related`, `address`, `talk`
- authors.html: `writers` as (Person, number of reviews); dramas.html: `shows`; page.html: `title`, `body`
- error.html: `code`, `latest` (titles with addresses)
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Blueprint, Response, redirect, request
from markupsafe import Markup
from werkzeug.exceptions import Gone, HTTPException, NotFound, ServiceUnavailable

from dramafeed.content import Surface, first_sentences, render
from dramafeed.model import (
    ANY_REVIEW_KEY,
    AUTHORS_KEY,
    DRAMAS_KEY,
    BodyFormat,
    LabelKind,
    PublicAuthor,
    PublicDrama,
    PublicPage,
    PublicReview,
    State,
    ThingKind,
    list_key,
    thing_key,
)
from dramafeed.renderings import SUMMARY_LENGTH, labels
from dramafeed.storage import Reading
from dramafeed.web import theme
from dramafeed.web.documents import ABSENT, Rendered
from dramafeed.web.linked_data import LinkedData
from dramafeed.web.listing import (
    ROUTES,
    Listing,
    Sort,
    Stage,
    find_listing,
    last_page,
    moved,
    redirection,
    whole_site,
)
from dramafeed.web.negotiation import prefers_activity
from dramafeed.web.shown import Feeds, Named, trailer_host
from dramafeed.web.state import finished, mounted

pages = Blueprint("dramafeed", __name__, template_folder="templates")

_PICTURE = re.compile(r"[0-9a-f]{32}\.(jpg|png|webp|gif)")
_PICTURE_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif"}
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_YEAR = 31536000  # seconds
_RELATED = 3
_LATEST = 5


@pages.before_request
def _refuse_unprintable() -> None:
    """No address of ours has a NUL, and PostgreSQL cannot even be asked for one."""
    if "\0" in request.path:
        raise NotFound


def _stage(reading: Reading) -> Stage:
    return Stage.of(reading, mounted().settings)


def _settle(url: str) -> None:
    """Go on only under the canonical address of a page, else lead there."""
    if not unquote(urlsplit(url).path).endswith(request.path):
        moved(url)


def _for_servers(activity: Callable[[Stage], str]) -> Response | None:
    """A redirect to the ActivityPub id for those who would rather have that; "" means there is none."""
    if not prefers_activity(request.headers.get("Accept", "")):
        return None
    with mounted().store.reading() as reading:
        target = activity(_stage(reading))
    return _see(target, 303) if target else None


def _see(url: str, code: int) -> Response:
    """A redirect that depends on who asks and is not kept: a cache that ignores Vary would mix them up."""
    response = redirect(url, code, Response)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    assert isinstance(response, Response)
    return response


# --------------------------------------------------------------------------- lists


def listing(sort: Sort, name: str = "", number: str = "") -> Response:
    """A list's page or one of its older pages."""
    if not number and (answer := _for_servers(partial(_actor_of_list, sort, name))):
        return answer
    return finished(partial(_render_listing, sort, name, number))


for _sort, _rule in ROUTES.items():
    _view = partial(listing, _sort)
    pages.add_url_rule(_rule, _sort.value, _view, strict_slashes=False)
    pages.add_url_rule(f"{_rule}page/<number>/", f"{_sort.value}_older", _view, strict_slashes=False)


def _actor_of_list(sort: Sort, name: str, stage: Stage) -> str:
    if sort is Sort.SITE:
        handle = stage.site.thing.handle
    elif sort is Sort.AUTHOR:
        handle = stage.find(ThingKind.AUTHOR, name).handle
    else:
        return ""
    return stage.urls.actor(handle) if handle else ""


def _render_listing(sort: Sort, name: str, number: str, reading: Reading) -> Rendered:
    stage = _stage(reading)
    page = _page_number(number)
    found = find_listing(stage, sort, name, f"page/{page}/" if page else "")
    _settle(found.page_url(page))
    reviews = found.newest(stage) if page is None else found.numbered(stage, page)
    extra, keys = _EXTRAS[sort](stage, found)
    return theme.page(
        stage,
        _TEMPLATES[sort],
        _list_head(stage, found, page, reviews),
        (*found.shows(reviews), *keys),
        title=found.title,
        cards=stage.shown.cards(reviews),
        number=page,
        feeds=theme.feeds_of(stage, found),
        **_neighbours(stage, found, page),
        **extra,
    )


def _page_number(text: str) -> int | None:
    """The number of an older page; None for the first page."""
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise NotFound
    return int(text)


def _neighbours(stage: Stage, found: Listing, page: int | None) -> dict[str, Any]:
    """How many reviews there are, and where the older and newer ones stand."""
    count = found.count(stage)
    last = last_page(count)
    older = last if page is None else page - 1
    newer = None if page is None or page >= last else page + 1
    return {
        "count": count,
        "older": stage.shown.path(found.page_url(older)) if older else "",
        "newer": stage.shown.path(found.page_url(newer)) if page else "",
    }


def _list_head(stage: Stage, found: Listing, page: int | None, reviews: list[PublicReview]) -> theme.Head:
    title = theme.feed_title(stage, found)
    avatar = found.about.author.avatar if isinstance(found.about, PublicAuthor) else None
    header = stage.site.site.header if found.sort is Sort.SITE else None
    handle = stage.site.thing.handle if found.sort is Sort.SITE else None
    if isinstance(found.about, PublicAuthor):
        handle = found.about.thing.handle
    return theme.Head(
        title=f"{title} ({page})" if page else title,
        url=found.page_url(page),
        description=found.description,
        sort="profile" if found.sort is Sort.AUTHOR else "website",
        feeds=() if found.sort is Sort.SITE else (theme.feeds_of(stage, found),),
        activity=stage.urls.actor(handle) if handle and page is None else "",
        creator=f"@{stage.urls.account(handle)}" if handle else "",
        picture=theme.card_picture(stage, header, avatar, *(one.review.image for one in reviews[:1])),
        linked_data=_list_data(stage, found) if page is None else (),
    )


def _list_data(stage: Stage, found: Listing) -> tuple[Markup, ...]:
    data = LinkedData(stage.urls, stage.renderings)
    if isinstance(found.about, PublicAuthor):
        return data.author(found.about)
    if isinstance(found.about, PublicDrama):
        return data.drama(found.about)
    return data.home() if found.sort is Sort.SITE else ()


_Extra = tuple[dict[str, Any], tuple[str, ...]]  # further values of a template, and their keys


def _home_extra(stage: Stage, _found: Listing) -> _Extra:
    authors = [one for one in stage.reading.editions.authors() if not one.author.guest]
    people = [stage.shown.person(one) for one in authors]
    return {"writers": [one for one in people if not one.alumni]}, (AUTHORS_KEY,)


def _author_extra(stage: Stage, found: Listing) -> _Extra:
    assert isinstance(found.about, PublicAuthor)
    return {"person": stage.shown.person(found.about)}, ()


def _drama_extra(stage: Stage, found: Listing) -> _Extra:
    assert isinstance(found.about, PublicDrama)
    shown = stage.shown
    return {"show": shown.show(found.about), "facts": shown.facts(found.about)}, ()


def _no_extra(_stage: Stage, _found: Listing) -> _Extra:
    return {}, ()


_EXTRAS = {
    Sort.SITE: _home_extra,
    Sort.AUTHOR: _author_extra,
    Sort.DRAMA: _drama_extra,
    Sort.TAG: _no_extra,
    Sort.KIND: _no_extra,
}
_TEMPLATES = {
    Sort.SITE: "home.html",
    Sort.AUTHOR: "author.html",
    Sort.DRAMA: "drama.html",
    Sort.TAG: "list.html",
    Sort.KIND: "list.html",
}


# --------------------------------------------------------------------------- indexes


@pages.get("/authors/", strict_slashes=False)
def authors() -> Response:
    """Everybody who writes here."""
    return finished(_render_authors)


def _render_authors(reading: Reading) -> Rendered:
    stage = _stage(reading)
    url = stage.urls.at("/authors/")
    _settle(url)
    counts = reading.editions.counts_by_author()
    writers = [(stage.shown.person(one), counts.get(one.thing.uid, 0)) for one in reading.editions.authors()]
    head = _index_head(stage, "Authors", url, "Everybody who writes on")
    return theme.page(stage, "authors.html", head, (AUTHORS_KEY,), writers=writers)


@pages.get("/dramas/", strict_slashes=False)
def dramas() -> Response:
    """Every drama that is known here."""
    return finished(_render_dramas)


def _render_dramas(reading: Reading) -> Rendered:
    stage = _stage(reading)
    url = stage.urls.at("/dramas/")
    _settle(url)
    counts = reading.editions.counts_by_drama()
    shows = [stage.shown.show(one, counts.get(one.thing.uid, 0)) for one in reading.editions.dramas()]
    head = _index_head(stage, "Dramas", url, "Every drama reviewed on")
    return theme.page(stage, "dramas.html", head, (DRAMAS_KEY,), shows=shows)


def _index_head(stage: Stage, name: str, url: str, words: str) -> theme.Head:
    blog = stage.site.site.title
    return theme.Head(f"{name} · {blog}", url, f"{words} {blog}.")


# --------------------------------------------------------------------------- a review


@pages.get("/reviews/<slug>/", strict_slashes=False)
def review(slug: str) -> Response:
    """One review."""
    answer = _for_servers(lambda stage: stage.urls.object(stage.find(ThingKind.REVIEW, slug).uid))
    return answer or finished(partial(_render_review, slug))


def _render_review(slug: str, reading: Reading) -> Rendered:
    stage = _stage(reading)
    thing = stage.find(ThingKind.REVIEW, slug)
    url = stage.urls.review(thing.slug)
    _settle(url)
    public = reading.editions.review(thing)
    related, keys = _related(stage, public)
    return theme.page(
        stage,
        "review.html",
        _review_head(stage, public, url),
        (thing_key(ThingKind.REVIEW, thing.uid), *keys),
        address=url,
        related=stage.shown.cards(related),
        **_review_values(stage, public),
    )


def _review_values(stage: Stage, public: PublicReview) -> dict[str, Any]:
    words, shown = public.review, stage.shown
    text = stage.renderings.page(public)
    kind = next(label for label in labels(words) if label.kind is LabelKind.KIND)
    drama = public.drama
    return {
        "card": shown.card(public),
        "body": shown.html(text.body, words.lang),
        "kind": Named(kind.name, shown.path(stage.urls.kind(kind.slug))),
        "standfirst": words.summary,
        "part": _part(words.season, words.episodes_covered),
        "picture": shown.shot(words.image),
        "verdict": words.verdict,
        "notes": words.content_notes,
        "trailer": Named(trailer_host(words.trailer), words.trailer) if words.trailer else None,
        "correction": words.correction,
        "updated": shown.moment(words.updated) if words.updated else None,
        "tags": shown.tags(words),
        "writers": [shown.person(author) for author in public.authors],
        "show": shown.show(drama) if drama else None,
        "facts": shown.facts(drama) if drama else None,
        "talk": words.comments != "closed" and stage.followable,
    }


def _part(season: int | None, episodes: str) -> str:
    """Which part of a drama is talked about: `Season 1, episodes 1-2`."""
    parts = [f"season {season}"] if season is not None else []
    if episodes:
        several = re.search(r"\D", episodes)
        parts.append(f"{'episodes' if several else 'episode'} {episodes.replace('-', '–')}")
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def _related(stage: Stage, public: PublicReview) -> tuple[list[PublicReview], tuple[str, ...]]:
    """Other reviews of the same drama, with the keys that decide about them."""
    if public.drama is None:
        return [], ()
    uid = public.drama.thing.uid
    found = stage.reading.editions.listed(drama=uid, limit=_RELATED + 1)
    others = [one for one in found if one.thing.uid != public.thing.uid][:_RELATED]
    keys = (thing_key(ThingKind.REVIEW, one.thing.uid) for one in others)
    return others, (list_key("drama", uid), *keys)


def _review_head(stage: Stage, public: PublicReview, url: str) -> theme.Head:
    words, urls = public.review, stage.urls
    handles = [one.thing.handle for one in public.authors if one.thing.handle]
    found = labels(words)
    properties = [
        ("article:published_time", public.published.isoformat()),
        ("article:modified_time", public.updated.isoformat()),
        *(("article:author", urls.author(one.thing.slug)) for one in public.authors),
        *(("article:section", one.name) for one in found if one.kind is LabelKind.KIND),
        *(("article:tag", one.name) for one in found if one.kind is LabelKind.TAG),
    ]
    return theme.Head(
        title=f"{words.title} · {stage.site.site.title}",
        url=url,
        description=stage.renderings.summary(public),
        sort="article",
        language=words.lang,
        canonical=words.canonical_url,
        feeds=tuple(_author_feeds(stage, one) for one in public.authors),
        activity=urls.object(public.thing.uid),
        creator=f"@{urls.account(handles[0])}" if handles else "",
        picture=theme.card_picture(stage, words.image),
        properties=tuple(properties),
        linked_data=LinkedData(urls, stage.renderings).review(public),
    )


def _author_feeds(stage: Stage, author: PublicAuthor) -> Feeds:
    name = f"{author.author.name} · {stage.site.site.title}"
    return stage.shown.feeds(name, stage.urls.author(author.thing.slug))


# --------------------------------------------------------------------------- profiles


@pages.get("/@<handle>/", strict_slashes=False)
def profile(handle: str) -> Response:
    """For people, the page of whoever has a handle; for servers, the actor."""
    with mounted().store.reading() as reading:
        stage = _stage(reading)
        thing = reading.editions.by_handle(handle.lower())
        if thing is None or thing.state is not State.PUBLIC or not thing.handle:
            raise NotFound
        urls = stage.urls
        page = urls.home if thing.kind is ThingKind.SITE else urls.author(thing.slug)
        if prefers_activity(request.headers.get("Accept", "")):
            return _see(urls.actor(thing.handle), 303)
        return _see(page, 302)


# --------------------------------------------------------------------------- pictures, the theme's files


@pages.get("/media/<name>")
def media(name: str) -> Response:
    """A picture, while something public shows it."""
    found = _PICTURE.fullmatch(name)
    file = mounted().settings.media / name
    if found is None or not file.is_file() or not _is_shown(name):
        raise NotFound
    response = Response(file.read_bytes(), content_type=_PICTURE_TYPES[found[1]])
    response.headers["Cache-Control"] = f"public, max-age={_YEAR}, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.set_etag(found[0])
    response.make_conditional(request)
    return response


def _is_shown(name: str) -> bool:
    """Whether a public edition uses a picture.

    The names of all such pictures are a finished document under a key that no address has. When a picture
    is not in it the database is asked again, because the document may be a moment old.
    """
    known = mounted().documents.answer("pictures", {}, _render_pictures)
    if name.encode() in known.body:
        return True
    with mounted().store.reading() as reading:
        return name in reading.editions.pictures()


def _render_pictures(reading: Reading) -> Rendered:
    names = "\n".join(sorted(reading.editions.pictures()))
    return Rendered(names.encode(), "text/plain", (ANY_REVIEW_KEY, AUTHORS_KEY))


def theme_file(name: str, version: str = "") -> Response:
    """A file of the theme. Pages that were cached with an older version get the present one."""
    asset = theme.asset(name)
    headers = [("Content-Security-Policy", "default-src 'none'")]
    rendered = Rendered(
        asset.body,
        theme.ASSET_TYPES[name],
        (),
        max_age=_YEAR if version == asset.version else 300,
        headers=tuple(headers),
    )
    # Every version that is not the present one is the same document.
    return finished(lambda _reading: rendered, path="" if version == asset.version else f"old {name}")


for _name in theme.ASSET_TYPES:
    pages.add_url_rule(
        theme.asset_route(_name).replace("<version>", "<string(length=8):version>"),
        f"theme_{_name.replace('.', '_')}",
        partial(theme_file, _name),
    )


# --------------------------------------------------------------------------- plain pages, old addresses


@pages.get("/<path:rest>")
def elsewhere(rest: str) -> Response:
    """Whatever no other rule wants: a plain page, or nothing.

    Plain pages have no rule of their own because a rule for any single name would come before rules of a
    host application; a path comes last.
    """
    if rest == "favicon.ico":
        return theme_file(theme.ICON_PNG)
    slug = rest.removesuffix("/")
    if not slug or "/" in slug:
        raise NotFound
    return finished(partial(_render_page, slug))


def _render_page(slug: str, reading: Reading) -> Rendered:
    stage = _stage(reading)
    thing = stage.find(ThingKind.PAGE, slug)
    url = stage.urls.page(thing.slug)
    _settle(url)
    public = reading.editions.page(thing)
    title = public.page.title
    plain = _page_text(stage, public, Surface.PLAIN)
    head = theme.Head(
        title=f"{title} · {stage.site.site.title}",
        url=url,
        description=first_sentences(plain, SUMMARY_LENGTH),
    )
    body = stage.shown.html(_page_text(stage, public, Surface.PAGE))
    key = thing_key(ThingKind.PAGE, thing.uid)
    return theme.page(stage, "page.html", head, (key,), title=title, body=body)


def _page_text(stage: Stage, public: PublicPage, surface: Surface) -> str:
    pictures = {raw: (stage.urls.media(picture.name), picture) for raw, picture in public.page.pictures}
    return render(
        public.page.body,
        BodyFormat.MARKDOWN,
        surface,
        pictures=pictures,
        base_url=stage.urls.base,
    )


def not_found(error: HTTPException) -> Response:
    """The 404 page, for an application that has none of its own."""
    return failed(error)


@pages.errorhandler(NotFound)
@pages.errorhandler(Gone)
@pages.errorhandler(ServiceUnavailable)
def failed(error: HTTPException) -> Response:
    """An old address leads on; else a page that says what happened and where to go."""
    code = error.code or 500
    if code != 503 and (target := _from_old_address()):
        return redirection(target)
    known = mounted().documents.answer(f"error {code}", {}, partial(_render_error, code))
    response = Response(known.body, code, content_type=theme.HTML_TYPE)
    response.headers.extend(theme.PAGE_HEADERS)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store" if code == 503 else ABSENT
    if isinstance(error, ServiceUnavailable):
        response.headers["Retry-After"] = "5"
    return response


def _from_old_address() -> str | None:
    """Where the path of an older site leads now (`redirect_from`)."""
    if "\0" in request.path:
        return None
    urls = mounted().settings.urls
    path = unicodedata.normalize("NFC", request.path)
    bare = path.rstrip("/")
    below = bare.removeprefix(urls.prefix)
    with mounted().store.reading() as reading:
        for old in dict.fromkeys((path, below, f"{below}/", bare, f"{bare}/")):
            thing = reading.editions.by_old_path(old) if old else None
            if thing is not None and thing.state is State.PUBLIC:
                return urls.review(thing.slug)
    return None


def _render_error(code: int, reading: Reading) -> Rendered:
    stage = _stage(reading)
    every = whole_site(stage)
    reviews = every.newest(stage, _LATEST) if code != 503 else []
    titles = {404: "Not here", 410: "Taken back", 503: "One moment"}
    head = theme.Head(f"{titles[code]} · {stage.site.site.title}", stage.urls.home)
    latest = [Named(one.review.title, stage.shown.path(stage.urls.review(one.thing.slug))) for one in reviews]
    keys = every.shows(reviews)
    return theme.page(stage, "error.html", head, keys, title=titles[code], code=code, latest=latest)
