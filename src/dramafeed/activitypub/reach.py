"""How far a request may reach, and how much it may use. Values only; `transport` obeys them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from dramafeed.activitypub import addresses

# Gives the IP addresses of a host name.
Resolve = Callable[[str], Awaitable[Sequence[str]]]


@dataclass(frozen=True)
class Limits:
    """Seconds, bytes and counts that one request may use. `total` covers all hops."""

    connect: float = 5.0
    total: float = 10.0
    size: int = 1024 * 1024
    redirects: int = 3
    connections: int = 100


@dataclass(frozen=True)
class Policy:
    """Which addresses may be contacted. `forbidden` gives the reason against an IP address."""

    schemes: frozenset[str]
    default_port_only: bool
    forbidden: Callable[[str], str | None]


# For `doctor`, which also looks at http and at odd ports, to say what is wrong with them.
PUBLIC_ANY_PORT = Policy(frozenset({"http", "https"}), False, addresses.forbidden_reason)
PUBLIC_ONLY = Policy(frozenset({"https"}), True, addresses.forbidden_reason)
ANYWHERE = Policy(frozenset({"http", "https"}), False, lambda _ip: None)
