"""The two doors of the inbox.

`Inbox.receive` runs in the request: cheap checks only, no fetching, then the activity is stored or refused.
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
from dramafeed.storage import Reading, Store, Transaction
from dramafeed.storage.actors import CachedActor
from dramafeed.storage.jobs import JobKind
from dramafeed.storage.received import Received, ReceivedState
from dramafeed.storage.together import CrowdedError, SharedCommits

MAX_BODY = 256 * 1024
MAX_ID = 1_000  # bytes; two ids make one entry of an index, for which PostgreSQL has 2,700
_OWNERS = 1_000  # owners of keys that a process remembers
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


@dataclass(frozen=True)
class _Arrival:
    """A well-formed request that says who signed it, and when it came."""

    activity: IncomingActivity
    parsed: signatures.ParsedSignature
    request: SignedRequest
    now: datetime
    handle: str | None


class Inbox:
    """The first door, for one process.

    Args:
        store: the database.
        settings: our addresses.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._commits = SharedCommits(store)
        self._owners: dict[str, CachedActor] = {}  # by key id, as last read; confirmed by whoever stores

    def receive(
        self,
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

        Raises:
            StorageError: the database is in trouble.
        """
        try:
            activity = vocabulary.parse_activity(body)
            _require_short(activity)
        except MalformedError as error:
            return Verdict(Outcome.MALFORMED, str(error))
        if "signature" not in headers:
            return Verdict(Outcome.UNSIGNED, "The request is not signed.")
        if activity.type == "Delete" and not _is_known(self._store, activity.actor):
            # An account that deletes itself tells every server that ever heard of it; nothing of it is here.
            return Verdict(Outcome.FORGOTTEN)
        request = SignedRequest("POST", target, headers, body, self._settings.urls.origin)
        try:
            parsed = signatures.read(request, now=now)
            _same_host(parsed.key_id, activity.actor)
            if parsed.key_id == self._settings.urls.instance_key:
                return _from_ourselves(self._store, parsed)
        except SignatureError as error:
            return Verdict(Outcome.UNSIGNED, str(error))
        if activity.type not in HANDLERS:
            return Verdict(Outcome.FORGOTTEN)
        arrival = _Arrival(activity, parsed, request, now, handle)
        try:
            return self._judge(arrival)
        except CrowdedError as error:
            return Verdict(Outcome.FULL, str(error))

    def _judge(self, arrival: _Arrival) -> Verdict:
        # The signature is judged outside of the writing transaction, which keeps all other writers waiting.
        key_id = arrival.parsed.key_id
        owner = self._owners.get(key_id)
        if owner is None or _refusal(owner, arrival):  # perhaps its key was replaced since
            with self._store.reading() as look:
                absent = _absence(look, arrival.handle)
                owner = look.actors.remote_by_key(key_id)
            if absent:
                return absent
            refusal = "" if owner is None else _refusal(owner, arrival)
            if owner and refusal:
                return self._refuse(owner, refusal, arrival.now)
            if owner:
                if len(self._owners) >= _OWNERS:
                    self._owners.clear()
                self._owners[key_id] = owner
        return self._commits.write(lambda tx: _take_in(tx, arrival, owner))

    def _refuse(self, owner: CachedActor, refusal: str, now: datetime) -> Verdict:
        """The key may have been replaced: fetch it again, but seldom."""
        if owner.refreshed_at <= now - REFRESH_PAUSE:
            self._commits.write(lambda tx: _refresh(tx, owner, now))
        return Verdict(Outcome.UNSIGNED, refusal)


def _require_short(activity: IncomingActivity) -> None:
    """Actor and activity ids are looked up together, and an entry of an index has little room."""
    named = (activity.actor, activity.id, activity.object_id or "")
    if any(len(identity.encode()) > MAX_ID for identity in named):
        raise MalformedError(f"An id is longer than {MAX_ID} bytes.")


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


def _absence(look: Reading, handle: str | None) -> Verdict | None:
    """Why the actor whose inbox it is takes nothing; None when it does."""
    state = State.PUBLIC if handle is None else look.editions.state_of_actor(handle)
    if state is State.PUBLIC:
        return None
    return Verdict(Outcome.NOBODY if state is None else Outcome.NOT_NOW, f"There is no actor {handle} here.")


def _take_in(tx: Transaction, arrival: _Arrival, judged: CachedActor | None) -> Verdict:
    """Store a request. `judged`: the owner of its key with whom it was found genuine; perhaps out of date."""
    absent = _absence(tx, arrival.handle)
    owner = tx.actors.remote_by_key(arrival.parsed.key_id)
    if absent:
        return absent
    if owner is None:
        return _quarantine(tx, arrival)
    same = judged and (judged.uri, judged.public_pem) == (owner.uri, owner.public_pem)
    if not same and (refusal := _refusal(owner, arrival)):
        return Verdict(Outcome.UNSIGNED, refusal)
    new = _store(tx, arrival, ReceivedState.VERIFIED, arrival.now)
    return Verdict(Outcome.STORED if new else Outcome.REPEATED)


def _refusal(owner: CachedActor, arrival: _Arrival) -> str:
    """Why the owner of the key did not send this; "" when it did."""
    if owner.uri != arrival.activity.actor:
        return f"The key belongs to {owner.uri}, not to {arrival.activity.actor}."
    try:
        signatures.verify(arrival.parsed, owner.public_pem)
    except SignatureError as error:
        return str(error)
    return ""


def _refresh(tx: Transaction, owner: CachedActor, now: datetime) -> None:
    tx.actors.note_refresh(owner.uri, now)
    tx.jobs.owe(JobKind.REFRESH, owner.uri, now, now)


def _quarantine(tx: Transaction, arrival: _Arrival) -> Verdict:
    """Keep a request until its key is fetched, unless that key is known not to exist."""
    key_id, now = arrival.parsed.key_id, arrival.now
    failure = tx.fetches.failed(key_id)
    if failure is not None and failure.until <= now:
        failure = None
    if failure is not None and failure.final:
        return Verdict(Outcome.UNSIGNED, f"The key {key_id} cannot be had: {failure.reason}")
    host = addresses.authority(arrival.activity.actor)
    if tx.received.quarantined() >= MAX_QUARANTINE or tx.received.quarantined(host) >= MAX_QUARANTINE_OF_HOST:
        return Verdict(Outcome.FULL, "Too many requests wait for their keys to be fetched.")
    due_at = now if failure is None else failure.until
    new = _store(tx, arrival, ReceivedState.QUARANTINED, due_at)
    return Verdict(Outcome.QUARANTINED if new else Outcome.REPEATED)


def _store(tx: Transaction, arrival: _Arrival, state: ReceivedState, due_at: datetime) -> bool:
    activity, request = arrival.activity, arrival.request
    needed = ""
    if state is ReceivedState.QUARANTINED:
        headers = {name: list(values) for name, values in request.headers.items()}
        needed = json.dumps({"target": request.target, "headers": headers})
    row = Received(
        id=0,
        actor=activity.actor,
        activity_id=activity.id,
        host=addresses.authority(activity.actor),
        key_id=arrival.parsed.key_id,
        state=state,
        received_at=arrival.now,
        request=needed,
        body=request.body,
    )
    return tx.received.add(row, due_at)


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
