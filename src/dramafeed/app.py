"""The Flask edge: wires settings, store, views and commands into an application, and decides nothing.

app = Flask(__name__)
app.config["DRAMAFEED_BASE_URL"] = "https://example.org/drama"
Dramafeed(app)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask, Response

from dramafeed import cli, server
from dramafeed.errors import SettingsError, StorageError
from dramafeed.inbox.receive import Inbox
from dramafeed.settings import PREFIX, TABLE, Settings, build, from_environment
from dramafeed.storage import Store
from dramafeed.web.documents import Documents, HotLayer
from dramafeed.web.federation import federation, well_known
from dramafeed.web.feeds import feeds
from dramafeed.web.health import health
from dramafeed.web.inbox import InboxLayer, inbox
from dramafeed.web.pages import pages
from dramafeed.web.state import EXTENSION, MountedSite, problem

log = logging.getLogger("dramafeed")


class Dramafeed:
    """The extension. One instance can serve several applications; it keeps nothing of them."""

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(
        self,
        app: Flask,
        settings: Settings | None = None,
        *,
        url_prefix: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Mount a site in an application.

        Args:
            app: the host; its `DRAMAFEED_*` config is read unless `settings` are given.
            settings: validated settings.
            url_prefix: only to check that the host means the path of BASE_URL.
            clock: gives the present, aware.
            monotonic: seconds on a clock that only goes forward.

        Raises:
            SettingsError: a setting cannot be used, the prefix contradicts BASE_URL, or a site is mounted
                here already.
            StorageError: the database cannot be used.
        """
        settings = settings or _settings_of(app)
        prefix = settings.urls.prefix
        if url_prefix is not None and url_prefix.rstrip("/") != prefix:
            raise SettingsError(
                f"dramafeed is mounted at {url_prefix!r}, but {PREFIX}BASE_URL ends in {prefix or '/'!r}; "
                "make the two equal."
            )
        if EXTENSION in app.extensions:
            raise SettingsError("This Flask application has a dramafeed already; mount one per application.")
        store = Store(settings.database_url)
        if store.version() is None:
            store.create()
        documents = Documents(store, monotonic=monotonic)
        site = MountedSite(settings, store, documents, Inbox(store, settings), clock)
        app.extensions[EXTENSION] = site
        for blueprint in (pages, feeds, federation, inbox, health):
            app.register_blueprint(blueprint, url_prefix=prefix or None)
        if settings.well_known or prefix:
            # Without the root of the host it still answers below the prefix, where redirects can lead.
            app.register_blueprint(well_known, url_prefix=None if settings.well_known else prefix)
        app.register_error_handler(StorageError, _in_trouble)
        app.cli.add_command(cli.dramafeed)
        if settings.hot:
            layered = InboxLayer(app.wsgi_app, site, _in_trouble)
            app.wsgi_app = HotLayer(layered, documents)  # type: ignore[method-assign]
        if settings.worker == "thread":
            server.start_worker_thread(settings, store)


def create_app(settings: Settings | None = None) -> Flask:
    """The standalone site, with settings from the environment unless they are given."""
    app = Flask("dramafeed", static_folder=None)
    Dramafeed().init_app(app, settings or from_environment())
    return app


def _settings_of(app: Flask) -> Settings:
    known = {row.name for row in TABLE}
    given = {
        key.removeprefix(PREFIX): value
        for key, value in app.config.items()
        if key.startswith(PREFIX) and value is not None
    }
    if not known >= given.keys():
        unknown = sorted(given.keys() - known)[0]
        raise SettingsError(f"{PREFIX}{unknown} is not a setting of dramafeed; correct its name.")
    return build(given, data_default=Path(app.instance_path) / "dramafeed")


def _in_trouble(error: StorageError) -> Response:
    """A database in trouble is 503: never a 404 that others would take for a removal."""
    log.error("%s", error)
    return problem(503, "The site cannot reach its database just now.")
