"""Which documents a change shows in: the keys that web processes watch. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dramafeed.model import (
    ALL_REVIEWS_KEY,
    ANY_REVIEW_KEY,
    AUTHORS_KEY,
    DRAMAS_KEY,
    SITE_KEY,
    Review,
    Thing,
    ThingKind,
    list_key,
    thing_key,
)
from dramafeed.renderings import labels


def by_review(*versions: tuple[Thing | None, Review | None]) -> set[str]:
    """Documents that show a review, for its standing and words before and after (or once, for both).

    Lists are touched only when the review comes, goes or moves between them: a document that shows some of a
    list names those reviews beside the list.
    """
    keys = {ANY_REVIEW_KEY}
    keys |= {thing_key(ThingKind.REVIEW, thing.uid) for thing, _review in versions if thing is not None}
    places = {_place(thing, review) for thing, review in versions}
    return keys if len(places) < len(versions) else keys | _lists(versions)


def _place(thing: Thing | None, review: Review | None) -> object:
    """What decides which lists hold a review, where it stands in them, and how they name its labels."""
    if thing is None or review is None:
        return None
    place = (thing.state, thing.published, thing.author_uids, thing.drama_uid, thing.attributed_to)
    return (*place, labels(review))


def _lists(versions: Iterable[tuple[Thing | None, Review | None]]) -> set[str]:
    keys = {ALL_REVIEWS_KEY, AUTHORS_KEY, DRAMAS_KEY}
    for thing, review in versions:
        if thing is not None:
            keys |= {list_key("author", uid) for uid in thing.author_uids}
            if thing.drama_uid:
                keys.add(list_key("drama", thing.drama_uid))
            if thing.attributed_to:
                keys.add(list_key("actor", thing.attributed_to))
        if review is not None:
            keys |= {list_key(label.kind.value, label.slug) for label in labels(review)}
    return keys


def by_linked(uids: Iterable[str]) -> set[str]:
    """Documents of reviews that link to a review whose address changed."""
    return {thing_key(ThingKind.REVIEW, uid) for uid in uids} | {ANY_REVIEW_KEY}


def by_author(thing: Thing, reviews: Iterable[Thing], *, renamed: bool) -> set[str]:
    """Documents that show an author; the lists show no more than the name and address."""
    keys = {thing_key(ThingKind.AUTHOR, thing.uid), AUTHORS_KEY, list_key("author", thing.uid)}
    return keys | _by_reviews(reviews, renamed=renamed)


def by_drama(thing: Thing, reviews: Iterable[Thing], *, renamed: bool) -> set[str]:
    """Documents that show a drama."""
    keys = {thing_key(ThingKind.DRAMA, thing.uid), DRAMAS_KEY, list_key("drama", thing.uid)}
    return keys | _by_reviews(reviews, renamed=renamed)


def _by_reviews(reviews: Iterable[Thing], *, renamed: bool) -> set[str]:
    keys: set[str] = set()
    for review in reviews:
        keys.add(thing_key(ThingKind.REVIEW, review.uid))
        if renamed:
            keys |= by_review((review, None))
    return keys


def by_page(thing: Thing) -> set[str]:
    """A plain page shows itself, and its title in every page's navigation."""
    return {thing_key(ThingKind.PAGE, thing.uid), SITE_KEY}
