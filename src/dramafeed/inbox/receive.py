"""The two doors of the inbox.

`receive` runs in the request: cheap checks only, no fetching, then the activity is stored or refused.
`process` runs in the worker: what was verified is handled; what waits in quarantine has its key fetched
once, is verified, and only then has any effect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dramafeed.activitypub import addresses, signatures, vocabulary
from dramafeed.activitypub.signatures import SignedRequest
from dramafeed.activitypub.vocabulary import IncomingActivity
from dramafeed.errors import MalformedError, SignatureError
from dramafeed.inbox.actors import REFRESH_PAUSE
from dramafeed.inbox.handlers import HANDLERS
from dramafeed.model import INSTANCE_HANDLE, State
from dramafeed.settings import Settings
from dramafeed.storage import Store, Transaction
from dramafeed.storage.actors import CachedActor
from dramafeed.storage.jobs import JobKind
from dramafeed.storage.received import Received, ReceivedState

MAX_BODY = 256 * 1024
# What waits for keys. Beyond it the sender is asked to come again (503): senders keep what they could not
# deliver for days, whereas dropping what waits would let a flood push out the genuine.
MAX_QUARANTINE = 2_000
MAX_QUARANTINE_OF_HOST = 200


class Outcome(StrEnum):
    """What a request to an inbox comes to."""

    STORED = "stored"
    REPEATED = "repeated"
    QUARANTINED = "quarantined"
    FORGOTTEN = "forgotten"  # well-formed, but nothing that concerns this site
    MALFORMED = "malformed"
    UNSIGNED = "unsigned"
    NOBODY = "nobody"  # the inbox of an actor that was never here
    NOT_NOW = "not now"  # the inbox of an actor that is hidden
    FULL = "full"


_STATUS = {
    Outcome.MALFORMED: 400,
    Outcome.UNSIGNED: 401,
    Outcome.NOBODY: 404,
    Outcome.NOT_NOW: 503,
    Outcome.FULL: 503,
}


@dataclass(frozen=True)
class Verdict:
    """The outcome and the sentence that names the rule."""

    outcome: Outcome
    message: str = ""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS.get(self.outcome, 202)


def receive(
    store: Store,
    settings: Settings,
    *,
    target: str,
    headers: Mapping[str, Sequence[str]],
    body: bytes,
    now: datetime,
    handle: str | None = None,
) -> Verdict:
    """Judge a POST to an inbox without asking anyone, and store it.

    Args:
        handle: the actor of ours whose inbox it is; None for the shared one.
        target: raw path with query, as requested.
        headers: names in lower case, each with all its values.
        body: raw bytes, at most `MAX_BODY`.
    """
    try:
        activity = vocabulary.parse_activity(body)
    except MalformedError as error:
        return Verdict(Outcome.MALFORMED, str(error))
    if "signature" not in headers:
        return Verdict(Outcome.UNSIGNED, "The request is not signed.")
    if activity.type == "Delete" and not _is_known(store, activity.actor):
        # An account that deletes itself tells every server that ever heard of it; nothing of it is here.
        return Verdict(Outcome.FORGOTTEN)
    request = SignedRequest(
        method="POST", target=target, headers=headers, body=body, origin=settings.urls.origin
    )
    try:
        parsed = signatures.read(request, now=now)
        _same_host(parsed.key_id, activity.actor)
        if parsed.key_id == settings.urls.instance_key:
            return _from_ourselves(store, parsed)
    except SignatureError as error:
        return Verdict(Outcome.UNSIGNED, str(error))
    if activity.type not in HANDLERS:
        return Verdict(Outcome.FORGOTTEN)
    return _judge(store, activity, parsed, request, now, handle)


def _is_known(store: Store, actor: str) -> bool:
    with store.reading() as tx:
        return tx.actors.remote(actor) is not None or tx.audience.is_known(actor)


def _same_host(key_id: str, actor: str) -> None:
    if not addresses.same_origin(key_id, actor):
        raise SignatureError(f"The key {key_id} is not on the server of the actor {actor}.")


def _from_ourselves(store: Store, parsed: signatures.ParsedSignature) -> Verdict:
    """`doctor` asks whether a signature survives the way to us. It is judged, and has no other effect."""
    with store.reading() as tx:
        key = tx.actors.key(INSTANCE_HANDLE)
    if key is None:
        raise SignatureError("This site has no key of its own yet.")
    signatures.verify(parsed, key.public_pem)
    return Verdict(Outcome.FORGOTTEN)


def _judge(
    store: Store,
    activity: IncomingActivity,
    parsed: signatures.ParsedSignature,
    request: SignedRequest,
    now: datetime,
    handle: str | None,
) -> Verdict:
    # The signature is judged outside of the writing transaction, which keeps all other writers waiting.
    with store.reading() as look:
        state = State.PUBLIC if handle is None else look.editions.state_of_actor(handle)
        owner = look.actors.remote_by_key(parsed.key_id)
    if state is not State.PUBLIC:
        absent = Outcome.NOBODY if state is None else Outcome.NOT_NOW
        return Verdict(absent, f"There is no actor {handle} here.")
    refusal = "" if owner is None else _refusal(owner, activity, parsed)
    with store.transaction() as tx:
        if owner is None:
            return _quarantine(tx, activity, parsed.key_id, request, now)
        if refusal:
            _refresh(tx, owner, now)
            return Verdict(Outcome.UNSIGNED, refusal)
        new = _store(tx, activity, parsed.key_id, ReceivedState.VERIFIED, request, now, now)
        return Verdict(Outcome.STORED if new else Outcome.REPEATED)


def _refusal(owner: CachedActor, activity: IncomingActivity, parsed: signatures.ParsedSignature) -> str:
    """Why the owner of the key did not send this; "" when it did."""
    if owner.uri != activity.actor:
        return f"The key belongs to {owner.uri}, not to {activity.actor}."
    try:
        signatures.verify(parsed, owner.public_pem)
    except SignatureError as error:
        return str(error)
    return ""


def _refresh(tx: Transaction, owner: CachedActor, now: datetime) -> None:
    """The key may have been replaced: fetch it again, but seldom."""
    if owner.refreshed_at <= now - REFRESH_PAUSE:
        tx.actors.note_refresh(owner.uri, now)
        tx.jobs.owe(JobKind.REFRESH, owner.uri, now, now)


def _quarantine(
    tx: Transaction, activity: IncomingActivity, key_id: str, request: SignedRequest, now: datetime
) -> Verdict:
    """Keep a request until its key is fetched, unless that key is known not to exist."""
    failure = tx.fetches.failed(key_id)
    if failure is not None and failure.until <= now:
        failure = None
    if failure is not None and failure.final:
        return Verdict(Outcome.UNSIGNED, f"The key {key_id} cannot be had: {failure.reason}")
    host = addresses.authority(activity.actor)
    if tx.received.quarantined() >= MAX_QUARANTINE or tx.received.quarantined(host) >= MAX_QUARANTINE_OF_HOST:
        return Verdict(Outcome.FULL, "Too many requests wait for their keys to be fetched.")
    due_at = now if failure is None else failure.until
    new = _store(tx, activity, key_id, ReceivedState.QUARANTINED, request, now, due_at)
    return Verdict(Outcome.QUARANTINED if new else Outcome.REPEATED)


def _store(
    tx: Transaction,
    activity: IncomingActivity,
    key_id: str,
    state: ReceivedState,
    request: SignedRequest,
    now: datetime,
    due_at: datetime,
) -> bool:
    needed = {"target": request.target, "headers": {name: list(v) for name, v in request.headers.items()}}
    arrived = Received(
        id=0,
        actor=activity.actor,
        activity_id=activity.id,
        host=addresses.authority(activity.actor),
        key_id=key_id,
        state=state,
        received_at=now,
        request=json.dumps(needed) if state is ReceivedState.QUARANTINED else "",
        body=request.body,
    )
    return tx.received.add(arrived, due_at)


# ---- the second door


def process(tx: Transaction, settings: Settings, row: Received, now: datetime) -> None:
    """Handle one verified activity, in the transaction that settles it."""
    activity = vocabulary.parse_activity(row.body)
    actor = tx.actors.remote(row.actor)
    if actor is None:
        tx.received.settle(row.id, ReceivedState.DROPPED, "the actor is no longer known")
        return
    done = HANDLERS[activity.type](tx, settings, activity, actor, now)
    tx.received.settle(row.id, ReceivedState.DONE, done)


def check_quarantined(row: Received, public_pem: str, settings: Settings) -> None:
    """Verify a stored request with the key that was fetched for it.

    Raises:
        SignatureError: it was not signed with that key.
    """
    stored = json.loads(row.request)
    request = SignedRequest(
        method="POST",
        target=stored["target"],
        headers=stored["headers"],
        body=row.body,
        origin=settings.urls.origin,
    )
    signatures.verify(signatures.read(request, now=row.received_at), public_pem)
