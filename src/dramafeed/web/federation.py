"""The ActivityPub side of the site: discovery, actors and objects.

Every GET is a finished document. Under `/ap/` a live thing is never answered with 404 or 410, because other
servers delete their copies then: trouble is 503.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, NotFound

from dramafeed import __version__
from dramafeed.activitypub import addresses, vocabulary
from dramafeed.delivery.fan_out import activity_uid
from dramafeed.errors import MalformedError
from dramafeed.model import (
    ALL_REVIEWS_KEY,
    AUTHORS_KEY,
    INSTANCE_HANDLE,
    LabelKind,
    PublicReview,
    State,
    Thing,
    ThingKind,
    followers_key,
    list_key,
    thing_key,
)
from dramafeed.renderings import Renderings, actor_of, labels
from dramafeed.storage import Reading
from dramafeed.storage.jobs import JobKind
from dramafeed.urls import Urls
from dramafeed.web.documents import ABSENT, Rendered
from dramafeed.web.state import ANYONE, finished, mounted, problem

federation = Blueprint("dramafeed_federation", __name__)
well_known = Blueprint("dramafeed_well_known", __name__)

PAGE_SIZE = 20
FEATURED = 5
_MAX_AGE = 180
_DELETE = (JobKind.DELETE,)


class NotNowError(Exception):
    """The document exists, but cannot be shown at this moment."""


def _document(document: dict[str, Any], *keys: str, content_type: str = vocabulary.ACTIVITY_JSON) -> Rendered:
    body = vocabulary.dumps(document)
    return Rendered(body, content_type, keys, max_age=_MAX_AGE, headers=ANYONE)


def _urls() -> Urls:
    return mounted().settings.urls


def _actor_thing(reading: Reading, handle: str) -> Thing:
    """The author or site whose actor this is; unknown handles are 404."""
    thing = reading.editions.by_handle(handle)
    if thing is None:
        raise NotFound
    if thing.state is not State.PUBLIC or thing.edition is None:
        raise NotNowError
    return thing


def _is_blog(thing: Thing) -> bool:
    return thing.kind is ThingKind.SITE


# ---- discovery


@well_known.get("/.well-known/webfinger")
def webfinger() -> Response:
    """RFC 7033: from a handle to its actor."""
    resource = request.args.get("resource", "")
    if not resource or len(resource) > 2048:
        raise BadRequest("Ask for ?resource=acct:handle@domain.")

    urls = _urls()
    handle = _account(resource, urls) or _handle_at(resource, urls)

    def render(reading: Reading) -> Rendered:
        known, actor_id, page, keys = _resolve(reading, handle)
        document = vocabulary.webfinger(urls=urls, handle=known, actor_id=actor_id, page=page)
        return _document(document, *keys, content_type=vocabulary.JRD_JSON)

    # Kept under the spelling that servers ask with, whichever of the many this one used.
    return finished(render, query=f"resource=acct:{handle}@{urls.handle_domain}")


def _resolve(reading: Reading, handle: str) -> tuple[str, str, str | None, tuple[str, ...]]:
    """handle, actor id, page and document keys of an account."""
    urls = _urls()
    instance = vocabulary.instance_handle(urls)
    if handle == instance.lower():
        return instance, urls.instance_actor, urls.home, ()
    thing = reading.editions.by_handle(handle)
    if thing is None or thing.handle is None or thing.edition is None:
        raise NotFound("There is no such account here.")
    page = urls.home if _is_blog(thing) else urls.author(thing.slug)
    return thing.handle, urls.actor(thing.handle), page, (thing_key(thing.kind, thing.uid),)


def _account(resource: str, urls: Urls) -> str | None:
    """The handle of an `acct:` resource of ours; None for a URL."""
    scheme, _, rest = resource.partition(":")
    if scheme.lower() in ("http", "https"):
        return None
    account = rest if scheme.lower() == "acct" else resource
    handle, at, domain = account.removeprefix("@").rpartition("@")
    if not at or not handle or not domain:
        raise BadRequest("A resource looks like acct:handle@domain.")
    try:
        asked = addresses.canonical_authority(domain)
    except MalformedError as error:
        raise BadRequest(str(error)) from error
    ours = {urls.handle_domain, urls.handle_domain.split(":")[0], urls.host, urls.hostname}
    if asked not in ours:
        raise NotFound("That account lives on another server.")
    return handle.lower()


def _handle_at(url: str, urls: Urls) -> str:
    """The handle of the actor that one of our own addresses means."""
    if url == urls.instance_actor:
        return vocabulary.instance_handle(urls).lower()
    with mounted().store.reading() as reading:
        thing = _thing_at(reading, url, urls)
    if thing is None or thing.handle is None:
        raise NotFound("There is no such account here.")
    return thing.handle


def _thing_at(reading: Reading, url: str, urls: Urls) -> Thing | None:
    """The actor that one of our own addresses (actor, profile or page) means."""
    if url in (urls.home, urls.base):
        site = reading.editions.site()
        return site.thing if site else None
    for base in (urls.actor(""), urls.profile("")):
        if url.startswith(base):
            return reading.editions.by_handle(url.removeprefix(base))
    base = urls.author("").removesuffix("/")
    if url.startswith(base):
        return reading.editions.by_slug(ThingKind.AUTHOR, url.removeprefix(base).strip("/"))
    return None


@well_known.get("/.well-known/host-meta")
def host_meta() -> Response:
    """RFC 6415: where WebFinger answers."""
    body = vocabulary.host_meta(urls=_urls())
    return finished(lambda _reading: Rendered(body, vocabulary.XRD_XML, (), max_age=_MAX_AGE))


@well_known.get("/.well-known/nodeinfo")
def nodeinfo_links() -> Response:
    """Which versions of NodeInfo there are."""
    document = vocabulary.nodeinfo_links(urls=_urls())
    return finished(lambda _reading: _document(document, content_type="application/json"))


@federation.get("/nodeinfo/<any('2.0', '2.1'):schema>")
def nodeinfo(schema: str) -> Response:
    """What software this is and how much it holds (FEP-f1d5)."""

    def render(reading: Reading) -> Rendered:
        site = reading.editions.site()
        people = sum(author.thing.handle is not None for author in reading.editions.authors())
        document = vocabulary.nodeinfo(
            urls=_urls(),
            schema=schema,
            version=__version__,
            users=people + 1,
            posts=reading.editions.count(),
            name=site.site.title if site else "",
            description=site.site.description if site else "",
        )
        return _document(
            document, ALL_REVIEWS_KEY, AUTHORS_KEY, content_type=vocabulary.nodeinfo_type(schema)
        )

    return finished(render)


# ---- actors


@federation.get("/ap/actor")
def instance_actor() -> Response:
    """The actor that signs our GET requests; always answered unsigned."""

    def render(reading: Reading) -> Rendered:
        site, key = reading.editions.site(), reading.actors.key(INSTANCE_HANDLE)
        if site is None or key is None:
            raise NotNowError
        document = vocabulary.instance_actor(
            urls=_urls(), name=site.site.title, public_key_pem=key.public_pem
        )
        return _document(document, followers_key(INSTANCE_HANDLE))

    return finished(render)


@federation.get("/ap/actor/outbox")
def instance_outbox() -> Response:
    """The instance actor says nothing."""
    document = vocabulary.ordered_collection(id=_urls().instance_outbox, total=0, items=[])
    return finished(lambda _reading: _document(document))


@federation.get("/ap/actors/<handle>")
def actor(handle: str) -> Response:
    """The blog or an author."""

    def render(reading: Reading) -> Rendered:
        thing = _actor_thing(reading, handle)
        document = actor_of(reading, _urls(), handle)
        if document is None:
            raise NotNowError
        return _document(document, thing_key(thing.kind, thing.uid), followers_key(handle))

    return finished(render)


@federation.get("/ap/actors/<handle>/followers")
def followers(handle: str) -> Response:
    """How many follow; who they are is nobody's business."""

    def render(reading: Reading) -> Rendered:
        _actor_thing(reading, handle)
        total = reading.audience.follower_count(handle)
        document = vocabulary.ordered_collection(id=_urls().followers(handle), total=total)
        return _document(document, followers_key(handle))

    return finished(render)


@federation.get("/ap/actors/<handle>/following")
def following(handle: str) -> Response:
    """Our actors follow nobody."""

    def render(reading: Reading) -> Rendered:
        _actor_thing(reading, handle)
        return _document(vocabulary.ordered_collection(id=_urls().following(handle), total=0))

    return finished(render)


@federation.get("/ap/actors/<handle>/featured")
def featured(handle: str) -> Response:
    """The newest reviews, so that an empty profile looks alive."""

    def render(reading: Reading) -> Rendered:
        thing = _actor_thing(reading, handle)
        newest = reading.editions.listed(actor=_narrow(thing), limit=FEATURED)
        items = [_urls().object(public.thing.uid) for public in newest]
        document = vocabulary.ordered_collection(id=_urls().featured(handle), total=len(items), items=items)
        return _document(document, _list_key(thing))

    return finished(render)


@federation.get("/ap/actors/<handle>/tags")
def featured_tags(handle: str) -> Response:
    """The tags of the newest reviews."""

    def render(reading: Reading) -> Rendered:
        thing, urls = _actor_thing(reading, handle), _urls()
        newest = reading.editions.listed(actor=_narrow(thing), limit=PAGE_SIZE)
        tags = {
            label.slug: (label.name, urls.tag(label.slug))
            for public in newest
            for label in labels(public.review)
            if label.kind is LabelKind.TAG
        }
        chosen = list(tags.values())[:10]
        return _document(vocabulary.featured_tags(urls=urls, handle=handle, tags=chosen), _list_key(thing))

    return finished(render)


def _narrow(thing: Thing) -> str | None:
    """The blog's lists hold every review, an author's their own."""
    return None if _is_blog(thing) else thing.handle


def _list_key(thing: Thing) -> str:
    return ALL_REVIEWS_KEY if _is_blog(thing) else list_key("actor", thing.handle or "")


@federation.get("/ap/actors/<handle>/outbox")
def outbox(handle: str) -> Response:
    """Everything published, the quiet archive included: pages are counted from the oldest and stay."""
    page = request.args.get("page", "")
    if page and not (page.isascii() and page.isdigit() and len(page) < 9):
        raise NotFound
    number = int(page) if page else None

    def render(reading: Reading) -> Rendered:
        thing = _actor_thing(reading, handle)
        keys = [_list_key(thing), thing_key(thing.kind, thing.uid)]
        total = reading.editions.count(actor=_narrow(thing))
        last = max(1, -(-total // PAGE_SIZE))
        box = _urls().outbox(handle)
        if number is None:
            document = vocabulary.ordered_collection(id=box, total=total, first=f"{box}?page={last}")
        else:
            told = _told_on(reading, thing, number, last)
            document = _outbox_page(reading, thing, box, told, number, last)
            keys += (thing_key(ThingKind.REVIEW, public.thing.uid) for public in told)
        return _document(document, *keys)

    return finished(render, query="" if number is None else f"page={number}")


def _told_on(reading: Reading, thing: Thing, number: int, last: int) -> list[PublicReview]:
    """The reviews on a page of an outbox, newest first."""
    if not 1 <= number <= last:
        raise NotFound
    oldest_first = reading.editions.listed(
        actor=_narrow(thing), limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE, oldest_first=True
    )
    return oldest_first[::-1]


def _outbox_page(
    reading: Reading, thing: Thing, box: str, told: list[PublicReview], number: int, last: int
) -> dict[str, Any]:
    site = reading.editions.site()
    if site is None:
        raise NotNowError
    renderings = Renderings(_urls(), site)
    items = [_told_by(renderings, thing, public) for public in told]
    return vocabulary.ordered_collection_page(
        id=f"{box}?page={number}",
        part_of=box,
        items=items,
        next_page=f"{box}?page={number - 1}" if number > 1 else None,
        prev_page=f"{box}?page={number + 1}" if number < last else None,
    )


def _told_by(renderings: Renderings, thing: Thing, public: PublicReview) -> dict[str, Any]:
    """The Create of a review by its own actor, or the blog's Announce of it."""
    urls, review = renderings.urls, public.thing
    if review.attributed_to == thing.handle:
        return _create(renderings, public)
    return vocabulary.announce(
        urls=urls,
        uid=activity_uid(review.uid, "announce"),
        handle=thing.handle or "",
        object_id=urls.object(review.uid),
        author_id=urls.actor(review.attributed_to or ""),
        published=public.published,
    )


def _create(renderings: Renderings, public: PublicReview) -> dict[str, Any]:
    number = activity_uid(public.thing.uid, "create")
    return vocabulary.create(urls=renderings.urls, uid=number, document=renderings.post(public))


# ---- objects


@federation.get("/ap/reviews/<uid>")
def review_object(uid: str) -> Response:
    """The Note of a review; its Tombstone while Deletes are owed."""
    gone: list[Response] = []

    def render(reading: Reading) -> Rendered:
        thing = _review_thing(reading, uid)
        if thing.state is State.WITHDRAWN:
            gone.append(_tombstone(reading, thing))
            raise NotFound
        site = reading.editions.site()
        if site is None:
            raise NotNowError
        public = reading.editions.review(thing)
        return _document(Renderings(_urls(), site).post(public), thing_key(ThingKind.REVIEW, uid))

    try:
        return finished(render)
    except NotFound:
        if gone:
            return gone[0]
        raise


def _review_thing(reading: Reading, uid: str) -> Thing:
    thing = reading.editions.thing(uid)
    if thing is None or thing.kind is not ThingKind.REVIEW:
        raise NotFound
    if thing.state is State.HIDDEN:
        raise NotNowError  # it may come back: a 404 would make others delete their copies
    return thing


def _tombstone(reading: Reading, thing: Thing) -> Response:
    """410 with a Tombstone while others are still being told, then 404."""
    owed = reading.jobs.owes(thing.uid, ("delete", "undo")) or any(
        job.subject == thing.uid for job in reading.jobs.open_jobs(*_DELETE)
    )
    if not owed:
        raise NotFound
    kind = "Article" if thing.form == "article" else "Note"
    document = vocabulary.tombstone(object_id=_urls().object(thing.uid), former_type=kind)
    return Response(
        vocabulary.dumps(document),
        status=410,
        content_type=vocabulary.ACTIVITY_JSON,
        headers={"Cache-Control": ABSENT},
    )


@federation.get("/ap/reviews/<uid>/<any('replies', 'likes', 'shares'):name>")
def interactions(uid: str, name: str) -> Response:
    """Counts of what came back."""
    paged = name == "replies" and bool(request.args.get("page"))

    def render(reading: Reading) -> Rendered:
        if _review_thing(reading, uid).state is not State.PUBLIC:
            raise NotFound
        identity = f"{_urls().object(uid)}/{name}"
        if paged:
            page = vocabulary.collection_page(id=f"{identity}?page=1", part_of=identity, items=[])
            return _document(page, thing_key(ThingKind.REVIEW, uid))
        first = f"{identity}?page=1" if name == "replies" else None
        document = vocabulary.collection(id=identity, total=0, first=first)
        return _document(document, thing_key(ThingKind.REVIEW, uid))

    return finished(render, query="page=1" if paged else "")


@federation.get("/ap/activities/<uid>")
def activity(uid: str) -> Response:
    """An activity as it was sent, or the Create of a review that was kept quiet."""

    def render(reading: Reading) -> Rendered:
        stored = reading.jobs.activity(uid)
        if stored is not None:
            return Rendered(stored.body, vocabulary.ACTIVITY_JSON, (), max_age=_MAX_AGE, headers=ANYONE)
        thing, site = reading.editions.thing(uid), reading.editions.site()
        if thing is None or thing.kind is not ThingKind.REVIEW or thing.state is State.WITHDRAWN:
            raise NotFound
        if site is None or thing.state is not State.PUBLIC:
            raise NotNowError
        created = _create(Renderings(_urls(), site), reading.editions.review(thing))
        return _document(created, thing_key(ThingKind.REVIEW, uid))

    return finished(render)


@federation.get("/ap/<path:_rest>")
def nothing(_rest: str) -> Response:
    """Whatever else is asked for below /ap/ is not there; said in JSON, as everything here.

    Not before the database was asked: while that is in trouble nothing is denied.
    """
    with mounted().store.reading() as reading:
        reading.meta.seq()
    raise NotFound


# ---- what cannot be answered


@federation.errorhandler(NotFound)
@well_known.errorhandler(NotFound)
def _not_found(error: NotFound) -> Response:
    return problem(404, error.description or "There is nothing at this address.", cached=ABSENT)


@well_known.errorhandler(BadRequest)
def _bad_request(error: BadRequest) -> Response:
    return problem(400, error.description or "The request is malformed.")


@federation.errorhandler(NotNowError)
@well_known.errorhandler(NotNowError)
def _not_now(_error: NotNowError) -> Response:
    return problem(503, "This exists, but cannot be shown just now.", cached=ABSENT)
