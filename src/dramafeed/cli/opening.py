"""What several commands begin with."""

from __future__ import annotations

import click

from dramafeed.settings import Settings
from dramafeed.storage import Store


def open_store(settings: Settings) -> Store:
    """The site's database, made when there is none yet."""
    store = Store(settings.database_url)
    click.get_current_context().call_on_close(store.close)
    if store.version() is None:
        store.create()
    return store
