"""What an answer to a delivery means, and when to try again. Pure.

Follows what large servers do (2xx is done; 4xx is final except 401, 408 and 429; 501 is final) with twelve
tries over three days and full jitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

TRIES = 12
LAST_TRY = timedelta(days=3)
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=12)
_LONGEST_WISH = timedelta(days=1)  # a longer Retry-After is cut


class Verdict(StrEnum):
    """What becomes of a delivery after an attempt. GONE: the inbox will never answer again."""

    DONE = "done"
    RETRY = "retry"
    GAVE_UP = "gave_up"
    GONE = "gone"


@dataclass(frozen=True)
class Decision:
    """The verdict, and for RETRY the instant of the next try."""

    verdict: Verdict
    at: datetime | None = None


def decide(
    *,
    status: int | None,
    attempts: int,
    first_at: datetime,
    now: datetime,
    jitter: float,
    retry_after: int | None = None,
    forbidden: bool = False,
) -> Decision:
    """Judge one attempt.

    Args:
        status: the HTTP status, or None when no answer came.
        attempts: tries so far, this one included.
        first_at: when the delivery was first owed.
        jitter: a random number in [0, 1).
        retry_after: seconds the other server asked for.
        forbidden: the address may not be contacted at all.
    """
    if status is not None and 200 <= status < 300:
        return Decision(Verdict.DONE)
    if status == 410:
        return Decision(Verdict.GONE)
    if forbidden or (status is not None and _is_final(status)):
        return Decision(Verdict.GAVE_UP)
    at = now + _pause(attempts, jitter, retry_after)
    if attempts >= TRIES or at > first_at + LAST_TRY + _LONGEST_WISH:
        return Decision(Verdict.GAVE_UP)
    return Decision(Verdict.RETRY, at)


def _is_final(status: int) -> bool:
    return status == 501 or 300 <= status < 400 or (400 <= status < 500 and status not in (401, 408, 429))


def _pause(attempts: int, jitter: float, retry_after: int | None) -> timedelta:
    """Full jitter: anywhere between a quarter and the whole of a span that grows threefold."""
    span: timedelta = min(_FIRST_PAUSE * int(3 ** (attempts - 1)), _LONGEST_PAUSE)
    pause = span * (0.25 + 0.75 * jitter)
    if retry_after is not None:
        pause = max(pause, min(timedelta(seconds=retry_after), _LONGEST_WISH))
    return pause
