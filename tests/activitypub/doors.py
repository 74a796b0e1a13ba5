"""A transport that may reach loopback, and ways to use it in a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

from dramafeed.activitypub.reach import Limits, Policy
from dramafeed.activitypub.transport import Transport, user_agent
from dramafeed.errors import TransportError
from tests.activitypub.samples import NOW
from tests.hostile import Peer, Seen

DOCUMENT = json.dumps({"id": "https://social.example/x", "type": "Note"}).encode()
QUICK = Limits(connect=0.3, total=0.3)


def door(**options: Any) -> Transport:
    """A transport that may reach loopback."""
    options.setdefault("allow_private", True)
    agent = user_agent("0.1.0", "https://blog.example")
    return Transport(user_agent=agent, clock=lambda: NOW, **options)


def run(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Runs one test's work in an event loop of its own."""
    return asyncio.run(asyncio.wait_for(work(), 20))


def get(routes: dict[str, Any], path: str = "/x", **options: Any) -> tuple[Any, list[Seen]]:
    """GETs a JSON document from a peer with these routes; what came back or was raised, and what
    the peer saw.
    """
    call = {name: options.pop(name) for name in ("signer", "accept") if name in options}

    async def work() -> tuple[Any, list[Seen]]:
        async with Peer(routes) as peer, door(**options) as transport:
            try:
                return await transport.get_json(peer.url(path), **call), peer.seen
            except TransportError as error:
                return error, peer.seen

    result: tuple[Any, list[Seen]] = run(work)
    return result


def refused(result: Any, words: str) -> TransportError:
    """The result is a refusal with these words, in one sentence."""
    assert isinstance(result, TransportError), result
    assert words in str(result)
    assert "\n" not in str(result)
    assert "Traceback" not in str(result)
    return result


def only(*forbidden: str) -> Policy:
    """A policy for tests on loopback: everything but these addresses."""

    def judge(ip: str) -> str | None:
        return "forbidden here" if ip in forbidden else None

    return Policy(frozenset({"http"}), False, judge)
