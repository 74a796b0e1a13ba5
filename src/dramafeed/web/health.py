"""For operators: is the process alive, can it serve."""

from __future__ import annotations

from flask import Blueprint, Response

from dramafeed.web.state import mounted

health = Blueprint("dramafeed_health", __name__)


@health.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return _plain("ok")


@health.get("/readyz")
def readyz() -> Response:
    """The database can be read and has the right schema, and a first pass was made."""
    site = mounted()
    site.store.require_current()
    with site.store.reading() as reading:
        ready = bool(reading.meta.get("first_pass"))
    return _plain("ready") if ready else _plain("nothing published yet", 503)


def _plain(text: str, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(f"{text}\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
