"""Identity events: rows in the transaction of their cause, lines of the ledger soon after."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dramafeed.model import Thing, ThingKind
from dramafeed.storage import ledger
from dramafeed.storage.store import Transaction


def record_event(
    tx: Transaction,
    base_url: str,
    handle_domain: str,
    event_id: str,
    now: datetime,
    thing: Thing,
    facts: dict[str, Any],
) -> None:
    """Record one snapshot of a thing; the publisher copies it to the ledger before anything is sent."""
    if thing.kind is ThingKind.SITE:
        facts = {
            **facts,
            "followers": bool(tx.meta.get("first_follower")),
            "keys": dict(tx.actors.fingerprints()),
        }
    row = ledger.line(event_id, now, base_url, handle_domain, facts)
    tx.editions.add_event(event_id, thing.uid, row)


def record_site_event(
    tx: Transaction, base_url: str, handle_domain: str, event_id: str, now: datetime
) -> None:
    """Record the site's line anew: a first follower came, or keys were made."""
    site = tx.editions.site()
    if site is not None:
        facts = ledger.snapshot(site.thing, tx.editions.slugs_of(site.thing.uid))
        record_event(tx, base_url, handle_domain, event_id, now, site.thing, facts)
