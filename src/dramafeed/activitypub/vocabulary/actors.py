"""Actors as other servers see them: authors, the blog, and the one that signs our requests.

The keys follow what Mastodon reads (ActivityPub section 4.1, FEP-5feb, FEP-2c59). Will not decide
who is an actor, nor keep keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from html import escape

from dramafeed.activitypub.vocabulary.terms import (
    ACTIVITY_STREAMS,
    ACTOR_CONTEXT,
    SECURITY,
    Document,
    timestamp,
)
from dramafeed.model import Image
from dramafeed.urls import Urls


class ActorKind(StrEnum):
    """What an actor is on the wire. Service and Group are avoided: readers badge or filter them."""

    PERSON = "Person"
    BLOG = "Organization"
    INSTANCE = "Application"


@dataclass(frozen=True)
class ProfileField:
    """One line of a profile: a link (`url`, shown in full, so that it verifies) or `html`."""

    name: str
    url: str = ""
    html: str = ""


@dataclass(frozen=True)
class ActorProfile:
    """What is said about an author or the blog. `page` is their address for people."""

    handle: str
    kind: ActorKind
    name: str
    page: str
    public_key_pem: str
    published: datetime
    summary_html: str = ""
    icon: Image | None = None
    header: Image | None = None
    fields: tuple[ProfileField, ...] = ()
    attribution_hosts: tuple[str, ...] = ()
    also_known_as: tuple[str, ...] = ()
    moved_to: str = ""


def actor(*, urls: Urls, profile: ActorProfile) -> Document:
    """The actor document of an author or of the blog."""
    handle = profile.handle
    document: Document = {
        "@context": list(ACTOR_CONTEXT),
        "id": urls.actor(handle),
        "type": profile.kind.value,
        "preferredUsername": handle,
        "webfinger": urls.account(handle),
        "name": profile.name,
        "summary": profile.summary_html,
        "url": profile.page,
        **_places(urls, handle),
        "manuallyApprovesFollowers": False,
        # Both count as "no" when absent: the profile would be neither suggested nor searchable.
        "discoverable": True,
        "indexable": True,
        "published": timestamp(profile.published),
        # Bylines of link previews are credited only for hosts that are named here, our own
        # included.
        "attributionDomains": list(profile.attribution_hosts or (urls.host,)),
        **_pictures(urls, profile),
        "attachment": [_field(each) for each in profile.fields],
        "publicKey": _public_key(urls.actor(handle), profile.public_key_pem),
    }
    if profile.also_known_as:
        document["alsoKnownAs"] = list(profile.also_known_as)
    if profile.moved_to:
        document["movedTo"] = profile.moved_to
    return document


def instance_handle(urls: Urls) -> str:
    """The name of the instance actor: the host, as in Mastodon; handles have no dots."""
    return urls.hostname.replace(":", ".")


def instance_actor(*, urls: Urls, name: str, public_key_pem: str) -> Document:
    """The actor that signs our GET requests; it follows nobody and cannot be followed."""
    handle = instance_handle(urls)
    return {
        "@context": [
            ACTIVITY_STREAMS,
            SECURITY,
            {
                "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
                "webfinger": "https://purl.archive.org/socialweb/webfinger#webfinger",
            },
        ],
        "id": urls.instance_actor,
        "type": ActorKind.INSTANCE.value,
        "preferredUsername": handle,
        "webfinger": urls.account(handle),
        "name": name,
        "url": urls.home,
        "inbox": urls.shared_inbox,
        "outbox": urls.instance_outbox,
        "endpoints": {"sharedInbox": urls.shared_inbox},
        "manuallyApprovesFollowers": True,
        "publicKey": _public_key(urls.instance_actor, public_key_pem),
    }


def _places(urls: Urls, handle: str) -> Document:
    return {
        "inbox": urls.inbox(handle),
        "outbox": urls.outbox(handle),
        "followers": urls.followers(handle),
        "following": urls.following(handle),
        "featured": urls.featured(handle),
        "featuredTags": urls.featured_tags(handle),
        "endpoints": {"sharedInbox": urls.shared_inbox},
    }


def _pictures(urls: Urls, profile: ActorProfile) -> Document:
    pictures: Document = {}
    for key, image in (("icon", profile.icon), ("image", profile.header)):
        if image is not None and image.picture is not None:
            picture: Document = {
                "type": "Image",
                "mediaType": image.picture.media_type,
                "url": urls.media(image.picture.name),
            }
            if image.alt:
                picture["summary"] = image.alt
            pictures[key] = picture
    return pictures


def _field(each: ProfileField) -> Document:
    value = each.html
    if each.url:
        # The visible text must equal the target exactly, or Mastodon does not try to verify it.
        address = escape(each.url)
        value = f'<a href="{address}" rel="me nofollow noopener" target="_blank">{address}</a>'
    return {"type": "PropertyValue", "name": each.name, "value": value}


def _public_key(owner: str, pem: str) -> Document:
    return {"id": f"{owner}#main-key", "owner": owner, "publicKeyPem": pem}
