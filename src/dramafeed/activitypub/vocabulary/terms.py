"""The words that every document shares: media types, contexts, and how a document becomes bytes.

Will not know what an actor or a post is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]

ACTIVITY_STREAMS = "https://www.w3.org/ns/activitystreams"
SECURITY = "https://w3id.org/security/v1"
PUBLIC = f"{ACTIVITY_STREAMS}#Public"

ACTIVITY_JSON = "application/activity+json"
LD_JSON = f'application/ld+json; profile="{ACTIVITY_STREAMS}"'
JRD_JSON = "application/jrd+json"
XRD_XML = "application/xrd+xml"

# The smallest limit met in the field is 50 KiB (the Takahe family); some room is left for a proxy's
# taste.
MAX_ACTIVITY_BYTES = 48 * 1024

# Terms are spelled out here because some readers take a context that they cannot fetch for an empty
# one.
_ACTOR_TERMS: Document = {
    "toot": "http://joinmastodon.org/ns#",
    "schema": "http://schema.org#",
    "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
    "discoverable": "toot:discoverable",
    "indexable": "toot:indexable",
    "featured": {"@id": "toot:featured", "@type": "@id"},
    "featuredTags": {"@id": "toot:featuredTags", "@type": "@id"},
    "alsoKnownAs": {"@id": "as:alsoKnownAs", "@type": "@id"},
    "movedTo": {"@id": "as:movedTo", "@type": "@id"},
    "PropertyValue": "schema:PropertyValue",
    "value": "schema:value",
    "attributionDomains": {"@id": "toot:attributionDomains", "@container": "@set"},
    "webfinger": "https://purl.archive.org/socialweb/webfinger#webfinger",
    "Hashtag": "as:Hashtag",
    "sensitive": "as:sensitive",
}
_POST_TERMS: Document = {
    "Hashtag": "as:Hashtag",
    "sensitive": "as:sensitive",
    "gts": "https://gotosocial.org/ns#",
    "interactionPolicy": {"@id": "gts:interactionPolicy", "@type": "@id"},
    "canQuote": {"@id": "gts:canQuote", "@type": "@id"},
    "automaticApproval": {"@id": "gts:automaticApproval", "@type": "@id"},
}
# Mastodon drops a document whose context does not contain the first of these as a plain string.
ACTOR_CONTEXT: Sequence[Any] = (ACTIVITY_STREAMS, SECURITY, _ACTOR_TERMS)
POST_CONTEXT: Sequence[Any] = (ACTIVITY_STREAMS, _POST_TERMS)
TAG_CONTEXT: Sequence[Any] = (ACTIVITY_STREAMS, {"Hashtag": "as:Hashtag"})


def dumps(document: Mapping[str, Any]) -> bytes:
    """The one spelling of a document as bytes: keys as built, UTF-8, no spaces."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def fits(body: bytes) -> bool:
    """True when no server known refuses an activity of this size."""
    return len(body) <= MAX_ACTIVITY_BYTES


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`; a fraction only when there is one."""
    if moment.tzinfo is None:
        raise ValueError("a timestamp needs a time zone")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def without_context(document: Mapping[str, Any]) -> Document:
    """The document as it is embedded in another one."""
    return {key: value for key, value in document.items() if key != "@context"}
