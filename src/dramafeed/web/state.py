"""What the views of one mounted site share. Every application has its own; nothing is global."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from flask import Response, current_app, request
from werkzeug.datastructures import Headers

from dramafeed.inbox.receive import Inbox
from dramafeed.settings import Settings
from dramafeed.storage import Store
from dramafeed.web.documents import Documents, Render, Reply

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

EXTENSION = "dramafeed"
ANYONE = (("Access-Control-Allow-Origin", "*"),)  # pages of other sites may read it


@dataclass(frozen=True)
class MountedSite:
    """One dramafeed in one Flask application (`app.extensions["dramafeed"]`)."""

    settings: Settings
    store: Store
    documents: Documents
    inbox: Inbox
    clock: Callable[[], datetime]


def mounted() -> MountedSite:
    """The site of the current application."""
    return cast(MountedSite, current_app.extensions[EXTENSION])


def finished(render: Render, *, query: str | None = None, path: str = "") -> Response:
    """Answer the current request with a finished document, rendering it if need be.

    Args:
        render: makes the document; may raise werkzeug's NotFound or Gone.
        query: where the query decides what the document is, in the one spelling under which it is kept
            (other spellings must not fill the memory); None when any query means the same.
        path: what it is kept under instead of the path asked for, where many paths mean the same.
    """
    environ = request.environ
    key = path or f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    if query:
        key = f"{key}?{query}"
    return as_response(mounted().documents.answer(key, environ, render, any_query=query is None))


class _Untouched(Response):
    """Leaves the headers as they are: werkzeug would take Last-Modified out of a 304."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:  # noqa: ARG002 - werkzeug's own form
        return self.headers


def as_response(reply: Reply) -> Response:
    """A reply as Flask hands it on, untouched."""
    response = _Untouched(reply.body, status=reply.status)
    response.headers.clear()
    response.headers.extend(reply.headers)
    return response


def problem(status: int, message: str, *, cached: str = "no-store") -> Response:
    """An answer that names the rule which failed (RFC 9457)."""
    body = json.dumps({"status": status, "detail": message}, ensure_ascii=False)
    response = Response(body, status=status, content_type="application/problem+json")
    response.headers["Cache-Control"] = cached
    response.headers.extend(ANYONE)  # a page that looks somebody up may read why that failed
    if status == 503:
        response.headers["Retry-After"] = "60"
    return response
