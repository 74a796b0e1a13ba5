"""One attempt of one delivery: sign, post, judge. Will not decide what is due, nor record anything."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dramafeed.activitypub.signatures import Signer, sign_cavage, sign_rfc9421
from dramafeed.activitypub.transport import Answer
from dramafeed.delivery.policy import Decision, Verdict, decide
from dramafeed.errors import ForbiddenAddressError, SignatureError, TransportError
from dramafeed.storage.jobs import Delivery

CAVAGE = "cavage"
RFC9421 = "rfc9421"
_SIGN = {CAVAGE: sign_cavage, RFC9421: sign_rfc9421}


class Door(Protocol):
    """The way out (`activitypub.transport.Transport`)."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST a body."""
        ...


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt. `dialect` is the signature form that the host understood, if it did.

    `seconds` is how long the host took.
    """

    delivery: Delivery
    decision: Decision
    status: int | None
    error: str
    dialect: str = ""
    seconds: float = 0


async def attempt(delivery: Delivery, signer: Signer, door: Door, *, now: datetime, jitter: float) -> Attempt:
    """Send a delivery once; after a 401, once more in the other signature form ("second knock").

    Args:
        delivery: leased to the caller.
        signer: key of the actor that the activity is by.
        door: the way out.
        now: goes into the Date header.
        jitter: a random number in [0, 1).
    """
    start = time.monotonic()
    first = delivery.dialect or CAVAGE
    second = RFC9421 if first == CAVAGE else CAVAGE
    try:
        answer, used = await _post(delivery, signer, door, now, first), first
        if answer.status == 401:
            answer, used = await _post(delivery, signer, door, now, second), second
    except SignatureError as error:  # no signature can be made for this address, today or later
        return Attempt(delivery, Decision(Verdict.GAVE_UP), None, str(error))
    except TransportError as error:
        forbidden = isinstance(error, ForbiddenAddressError)
        decision = _decide(delivery, now, jitter, error.status, error.retry_after, forbidden)
        return Attempt(delivery, decision, error.status, str(error), seconds=time.monotonic() - start)
    decision = _decide(delivery, now, jitter, answer.status, answer.retry_after, False)
    done = decision.verdict is Verdict.DONE
    error_text = "" if done else f"answered {answer.status}: {answer.body}"
    return Attempt(
        delivery,
        decision,
        answer.status,
        error_text,
        dialect=used if done else "",
        seconds=time.monotonic() - start,
    )


async def _post(delivery: Delivery, signer: Signer, door: Door, now: datetime, dialect: str) -> Answer:
    headers = _SIGN[dialect](signer, "POST", delivery.inbox, now=now, body=delivery.body)
    return await door.post(delivery.inbox, delivery.body, headers)


def _decide(
    delivery: Delivery,
    now: datetime,
    jitter: float,
    status: int | None,
    retry_after: int | None,
    forbidden: bool,
) -> Decision:
    return decide(
        status=status,
        attempts=delivery.attempts,
        first_at=delivery.first_at,
        now=now,
        jitter=jitter,
        retry_after=retry_after,
        forbidden=forbidden,
    )
