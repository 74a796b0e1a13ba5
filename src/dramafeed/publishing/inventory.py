"""What the database holds, kept in memory from pass to pass at the price of what changed in between."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from dramafeed.model import Thing, ThingKind
from dramafeed.publishing.plan import Reviews
from dramafeed.storage import Reading


@dataclass
class Inventory:
    """The stored things of every kind."""

    reviews: Reviews = field(default_factory=Reviews)
    others: dict[str, Thing] = field(default_factory=dict)  # by uid
    slugs: dict[ThingKind, dict[str, str]] = field(default_factory=dict)  # every slug ever -> uid
    _version: int = -1

    def refresh(self, tx: Reading) -> list[Thing]:
        """Take up what was written since the last time; the things concerned, before and after."""
        version = tx.editions.version()
        if version == self._version:
            return []
        things, gone = tx.editions.changed_since(self._version)
        uids = (*gone, *(thing.uid for thing in things))
        before = [self.reviews.remove(uid) or self.others.pop(uid, None) for uid in uids]
        for thing in things:
            if thing.kind is ThingKind.REVIEW:
                self.reviews.add(thing)
            else:
                self.others[thing.uid] = thing
        for kind in (ThingKind.AUTHOR, ThingKind.DRAMA):
            if kind not in self.slugs or gone or any(thing.kind is kind for thing in things):
                self.slugs[kind] = tx.editions.slug_holders(kind)
        self._version = version
        return [thing for thing in (*before, *things) if thing is not None]

    def of(self, kind: ThingKind) -> tuple[Thing, ...]:
        """The things of one kind, in the order of their uids; not for reviews."""
        found = (thing for thing in self.others.values() if thing.kind is kind)
        return tuple(sorted(found, key=lambda thing: thing.uid))


class Told(Container[str]):
    """The uids of the things that anyone was told about: asked one by one, because they may be very many."""

    def __init__(self, tx: Reading) -> None:
        self._tx = tx

    def __contains__(self, uid: object) -> bool:
        return isinstance(uid, str) and self._tx.audience.was_told(uid)
