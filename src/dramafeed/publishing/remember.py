"""What the identity ledger knows and the database does not: taken up before the first pass.

Will not write the ledger, and will not decide what is public: a thing comes back when its file is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from dramafeed.errors import StorageError
from dramafeed.model import Federated, State, Thing, ThingKind
from dramafeed.publishing.apply import cancel_announcements, give_key
from dramafeed.settings import Settings
from dramafeed.storage import Transaction, ledger
from dramafeed.storage.jobs import JobKind
from dramafeed.storage.ledger import Remembered


def remember(tx: Transaction, settings: Settings, path: Path, new_id: Callable[[], str]) -> None:
    """An empty database: take the identities from the ledger at `path`, or make a site id."""
    known = ledger.read(path, settings.base_url)
    site = next((r for r in known if r.thing.kind is ThingKind.SITE), None)
    tx.meta.put("site_id", site.thing.uid if site else new_id())
    for remembered in known:
        tx.editions.put(remembered.thing)
        tx.editions.add_slugs(remembered.thing, remembered.slugs)
        tx.editions.put_redirects(remembered.thing.uid, remembered.redirects)
    if site is not None and site.facts.get("followers"):
        tx.meta.put("base_url", str(site.facts["base_url"]))
        tx.meta.put("handle_domain", str(site.facts.get("handle_domain") or ""))
        tx.meta.put("first_follower", "yes")
        tx.meta.put("keys_lost", "yes")


def reconcile(tx: Transaction, settings: Settings, path: Path, now: datetime) -> list[str]:
    """An older copy of the database: take from the ledger what happened to identities since.

    Reviews keep their ids, dates and addresses; what was withdrawn stays withdrawn; nothing that the ledger
    calls told is told again. What the ledger does not hold (followers, keys, replies) is as the copy has it.

    Args:
        tx: a transaction on the copy.
        settings: the site's address.
        path: the ledger.
        now: the present.

    Returns:
        What was done and what people must know, in words.

    Raises:
        StorageError: the ledger belongs to another site.
    """
    tx.meta.renew(now)
    later = ledger.unseen(path, settings.base_url, tx.editions.all_events())
    site = tx.meta.get("site_id")
    if not site:
        return []
    sites = {
        one.thing.uid for one in ledger.read(path, settings.base_url) if one.thing.kind is ThingKind.SITE
    }
    if sites and site not in sites:
        raise StorageError(
            f"The backup belongs to another site than {path}; set DRAMAFEED_CONTENT to the folder that goes "
            "with it."
        )
    before = {one.thing.uid: tx.editions.thing(one.thing.uid) for one in later}
    for stored in before.values():
        if stored is not None and stored.handle:  # two authors may have changed places
            tx.editions.put(replace(stored, handle=None))
    for one in later:
        _take_up(tx, one, before[one.thing.uid], now)
    tx.editions.owe_events()
    rows = [f"{len(later)} things changed since this copy; their identity is from {path}."] if later else []
    return rows + _about_keys(tx, later, settings, now)


def _take_up(tx: Transaction, one: Remembered, stored: Thing | None, now: datetime) -> None:
    gone = bool(one.facts.get("withdrawn"))
    thing = _merged(one.thing, stored, gone=gone) if stored is not None else one.thing
    tx.editions.put(thing)
    tx.editions.add_slugs(thing, one.slugs)
    tx.editions.put_redirects(thing.uid, one.redirects)
    tx.editions.add_event(one.event[0], thing.uid, one.event[1])
    if thing.kind is not ThingKind.REVIEW:
        return
    if gone:
        cancel_announcements(tx, thing.uid)
        tx.jobs.cancel_deliveries(thing.uid, now)
        if tx.audience.told(thing.uid):
            tx.jobs.owe(JobKind.DELETE, thing.uid, now, now)
    elif thing.federated is Federated.TOLD and not tx.audience.told(thing.uid):
        _tell_followers_of(tx, thing)


def _merged(told: Thing, stored: Thing, *, gone: bool) -> Thing:
    """The identity from the ledger over the words that the copy has."""
    if told.kind is ThingKind.SITE:
        return stored
    returned = stored.state is State.WITHDRAWN and not gone
    return replace(
        told,
        state=State.WITHDRAWN if gone or returned else stored.state,
        edition=None if returned else stored.edition,  # the next pass brings it back, and tells nobody
        edition_hash=stored.edition_hash,
        body_hash=stored.body_hash,
        title=stored.title,
        first_seen=stored.first_seen,
        hidden_since=None if gone else stored.hidden_since,
        drama_uid=stored.drama_uid,
    )


def _tell_followers_of(tx: Transaction, thing: Thing) -> None:
    """Who was told is lost: those who followed at the copy's time probably, so they get Update and Delete."""
    site = tx.editions.site()
    blog = site.thing.handle if site else None
    tx.audience.tell(thing.uid, tx.audience.inboxes_of([thing.attributed_to or ""]), announced=False)
    if blog and blog != thing.attributed_to and not thing.unlisted:
        tx.audience.tell(thing.uid, tx.audience.inboxes_of([blog]), announced=True)


def _about_keys(tx: Transaction, later: Sequence[Remembered], settings: Settings, now: datetime) -> list[str]:
    """Take up from the site's line that people follow; say which keys they know better than the copy."""
    site = next((one for one in later if one.thing.kind is ThingKind.SITE), None)
    if site is None:
        return []
    if site.facts.get("followers") and not tx.meta.get("first_follower"):
        tx.meta.put("base_url", settings.base_url)
        tx.meta.put("handle_domain", str(site.facts.get("handle_domain") or ""))
        tx.meta.put("first_follower", "yes")
    ours = dict(tx.actors.fingerprints())
    newer = {handle for handle, mark in (site.facts.get("keys") or {}).items() if ours.get(handle) != mark}
    for handle in newer - ours.keys():
        give_key(tx, handle, now)
    return [
        f"The key of {handle} was made after this copy and is lost: servers refuse its posts until they "
        "fetch the key again."
        for handle in sorted(newer)
    ]
