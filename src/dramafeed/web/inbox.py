"""The inboxes: a POST is judged and answered before Flask is entered, which would cost more than judging.

Where `HOT` is off the same goes through Flask. Nobody is asked; what concerns us is stored before the 202.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from dramafeed.errors import StorageError
from dramafeed.inbox.receive import MAX_BODY
from dramafeed.web.state import MountedSite, mounted, problem

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

log = logging.getLogger("dramafeed.inbox")

inbox = Blueprint("dramafeed_inbox", __name__)


@inbox.post("/ap/inbox")
def shared_inbox() -> Response:
    """For all actors of ours."""
    return _receive(mounted(), request.environ) or Response(status=202)


@inbox.post("/ap/actors/<handle>/inbox")
def actor_inbox(handle: str) -> Response:
    """For one actor of ours."""
    return _receive(mounted(), request.environ, handle) or Response(status=202)


class InboxLayer:
    """WSGI layer that answers POSTs to inboxes before Flask is entered.

    Args:
        app: the WSGI application behind it.
        site: whose inboxes they are.
        in_trouble: the answer when the database cannot be used.
    """

    def __init__(
        self, app: WSGIApplication, site: MountedSite, in_trouble: Callable[[StorageError], Response]
    ) -> None:
        self._app = app
        self._site = site
        self._in_trouble = in_trouble
        prefix = re.escape(site.settings.urls.prefix)
        self._path = re.compile(rf"{prefix}/ap/(?:actors/([A-Za-z0-9_.-]+)/)?inbox")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = environ["REQUEST_METHOD"] == "POST" and self._path.fullmatch(environ.get("PATH_INFO", ""))
        if not asked:
            return self._app(environ, start_response)
        try:
            refusal = _receive(self._site, environ, asked[1])
        except StorageError as error:
            refusal = self._in_trouble(error)
        if refusal:
            return refusal(environ, start_response)
        start_response("202 ACCEPTED", [("Content-Length", "0")])
        return ()


def _receive(site: MountedSite, environ: dict[str, Any], handle: str | None = None) -> Response | None:
    """The answer when a request is refused; None when it is accepted."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    try:
        # One byte more: a body in chunks is cut at the limit, not refused, so this byte tells the two apart.
        body = get_input_stream(environ, max_content_length=MAX_BODY + 1).read()
    except RequestEntityTooLarge:
        body = bytes(MAX_BODY + 1)
    except BadRequest:
        return _refusal(path, 400, "The body ended before its announced length.")
    if len(body) > MAX_BODY:
        return _refusal(path, 413, f"An activity may have at most {MAX_BODY} bytes.")
    target, query = quote(path, safe="/@:~!$&'()*+,;="), environ.get("QUERY_STRING", "")
    verdict = site.inbox.receive(
        target=f"{target}?{query}" if query else target,
        headers=_headers(environ),
        body=body,
        now=site.clock(),
        handle=handle,
    )
    return _refusal(path, verdict.status, verdict.message) if verdict.message else None


def _headers(environ: dict[str, Any]) -> dict[str, list[str]]:
    """Every header by its name in lower case, as the WSGI server joined them."""
    named = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    # These two have names of their own; a server that gives them twice must not have the last word.
    named |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    return {name.replace("_", "-").lower(): [value] for name, value in named.items()}


def _refusal(path: str, status: int, message: str) -> Response:
    # Strangers choose some of these words: none of them may begin a line, or colour a terminal.
    line = f"refused a POST to {path}: {message}"
    log.info("%s", "".join(mark if mark.isprintable() else " " for mark in line))
    return problem(status, message)
