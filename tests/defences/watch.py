"""What passing always also means: nothing happened, nothing leaked, and the log says why."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from werkzeug.test import TestResponse

from tests.hostile import ACTIVITY, crafted, unmoved
from tests.site import BASE_URL, Site

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class _Ear(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.faults: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())
        if record.levelno >= logging.ERROR or record.exc_info:
            self.faults.append(record.getMessage())


class Watch:
    """A site under attack.

    Args:
        site: attacked.
        ear: hears what it logs.
    """

    def __init__(self, site: Site, ear: _Ear) -> None:
        self.site = site
        self.ear = ear

    def knock(self, body: bytes, headers: Headers, path: str = "/ap/inbox") -> TestResponse:
        """POST to an inbox exactly this; never a 5xx, never a trace."""
        response = self.site.http.post(
            path,
            data=body,
            headers=headers,
            base_url=BASE_URL,
            content_type=ACTIVITY,  # type: ignore[arg-type]
        )
        assert response.status_code < 500, response.text
        assert "Traceback" not in response.text
        return response

    def refused(
        self, status: int, words: str, body: bytes, headers: Headers, path: str = "/ap/inbox"
    ) -> None:
        """Refused at the door: the answer and the log name the rule, nothing is stored, nobody is asked."""
        before = len(self.ear.said)
        with unmoved(self.site.store, received=True):
            response = self.knock(body, headers, path)
            assert response.status_code == status, f"{response.status_code} {response.text}"
            self.site.turn()
        detail = response.get_json(force=True)["detail"]
        assert words in detail
        assert any(detail in line for line in self.ear.said[before:]), "the log does not say why"

    def refuses(self, server: Any, activity: dict[str, Any], status: int, words: str, **how: Any) -> None:
        """The same for an activity that is signed as told (`tests.hostile.crafted`)."""
        body = json.dumps(activity).encode()
        path = how.get("path", "/ap/inbox")
        self.refused(status, words, body, crafted(server, body, self.site.clock(), **how), path)

    def futile(
        self, server: Any, activity: dict[str, Any], words: str = "", hours: int = 0, **how: Any
    ) -> None:
        """Refused, or taken in and of no effect once it was tried for hours; the log says why."""
        before = len(self.ear.said)
        body = json.dumps(activity).encode()
        path = how.get("path", "/ap/inbox")
        with unmoved(self.site.store):
            response = self.knock(body, crafted(server, body, self.site.clock(), **how), path)
            assert response.status_code in (202, 401), response.text
            self.site.turn()
            for _ in range(hours):
                self.site.clock.step(3600)
                self.site.turn()
        with self.site.store.reading() as look:
            assert not {"quarantined", "verified"} & look.received.counts().keys()
        said = [line for line in self.ear.said[before:] if line.startswith(("dropped", "refused"))]
        assert any(words in line for line in said), self.ear.said[before:]
        self.site.clock.step(7200)  # what is remembered of a useless key is forgotten


@contextmanager
def watching(site: Site) -> Iterator[Watch]:
    """Watch a site; at the end it must have logged no fault of its own."""
    log, ear = logging.getLogger("dramafeed"), _Ear()
    level = log.level
    log.addHandler(ear)
    log.setLevel(logging.INFO)
    try:
        yield Watch(site, ear)
    finally:
        log.removeHandler(ear)
        log.setLevel(level)
    assert not ear.faults
