"""What the views of one mounted site share. Every application has its own; nothing is global."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import Response, current_app, request

from dramafeed.settings import Settings
from dramafeed.storage import Store
from dramafeed.web.documents import Documents, Render, Reply, document_key

EXTENSION = "dramafeed"


@dataclass(frozen=True)
class MountedSite:
    """One dramafeed in one Flask application (`app.extensions["dramafeed"]`)."""

    settings: Settings
    store: Store
    documents: Documents
    clock: Callable[[], datetime]


def mounted() -> MountedSite:
    """The site of the current application."""
    return cast(MountedSite, current_app.extensions[EXTENSION])


def finished(render: Render, *, with_query: bool = False) -> Response:
    """Answer the current request with a finished document, rendering it if need be.

    Args:
        render: makes the document; may raise werkzeug's NotFound or Gone.
        with_query: the query belongs to the document's name (otherwise it is ignored).
    """
    environ = request.environ
    key = document_key(environ if with_query else {**environ, "QUERY_STRING": ""})
    return as_response(mounted().documents.answer(key, environ, render))


def as_response(reply: Reply) -> Response:
    """A reply as Flask hands it on, untouched."""
    response = Response(reply.body, status=reply.status)
    response.headers.clear()
    response.headers.extend(reply.headers)
    return response
