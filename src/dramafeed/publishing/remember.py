"""What the identity ledger knows and the database does not: taken up before the first pass.

Will not write the ledger, and will not decide what is public: a thing comes back when its file is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dramafeed.model import ThingKind
from dramafeed.settings import Settings
from dramafeed.storage import Transaction, ledger


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
