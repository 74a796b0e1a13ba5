"""What the commands ask for: lists of plain sentences, and small acts of a person."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dramafeed.errors import ContentError, SettingsError
from dramafeed.model import INSTANCE_HANDLE, SITE_KEY, Library, Problem, State, ThingKind
from dramafeed.publishing import gate
from dramafeed.publishing.apply import give_key
from dramafeed.publishing.plan import Change, ChangeKind
from dramafeed.publishing.publisher import Report
from dramafeed.settings import Settings
from dramafeed.storage import Reading, Store, daily
from dramafeed.storage.identity import record_site_event
from dramafeed.storage.jobs import JobKind, JobState, LedgerRow

_VERBS = {
    ChangeKind.PUBLISH: "publish",
    ChangeKind.EDIT: "edit",
    ChangeKind.RENAME: "rename",
    ChangeKind.PARK: "wait for",
    ChangeKind.RETURN: "is back:",
    ChangeKind.HIDE: "hide",
    ChangeKind.SHOW: "show",
    ChangeKind.WITHDRAW: "withdraw",
    ChangeKind.DISCARD: "drop",
    ChangeKind.TELL: "tell followers of",
    ChangeKind.HUSH: "keep quiet about",
}


def describe(report: Report) -> list[str]:
    """Each change of a report in words, with its activity and how many inboxes that reaches."""
    rows = [_described(change, report) for change in report.changes if change.kind in _VERBS]
    return rows or ["Nothing to do: the site equals the folder."]


def _described(change: Change, report: Report) -> str:
    thing = change.thing
    text = f"{_VERBS[change.kind]} {thing.kind.value} {thing.path or thing.title}"
    activity = _activity(change)
    if not activity or thing.kind is not ThingKind.REVIEW:
        return text
    reach = report.reaches.get(thing.uid)
    return f"{text} ({activity}{f' to {reach} inboxes' if reach is not None else ''})"


def _activity(change: Change) -> str:
    told = change.thing.federated == "told"
    if change.kind in (ChangeKind.PUBLISH, ChangeKind.TELL):
        return "Create" if told else "quiet: not sent"
    if change.kind in (ChangeKind.EDIT, ChangeKind.RENAME) and told:
        return "Update if others would see a difference"
    return "Delete" if change.kind is ChangeKind.WITHDRAW and told else ""


def problems_of(settings: Settings, library: Library, wanted: Sequence[str]) -> list[Problem]:
    """What is wrong in the folder, by file and line, alone for the wanted paths if any are given."""
    if not library.complete and not library.problems:
        text = f"The content folder {settings.content} cannot be read completely"
        return [Problem(".", text, "Make it, or set DRAMAFEED_CONTENT.")]
    chosen = [p for p in library.problems if not wanted or _is_wanted(p.path, wanted)]
    return sorted(chosen, key=lambda p: (p.path, p.line, p.column, p.message))


def _is_wanted(path: str, wanted: Iterable[str]) -> bool:
    return any(path == one or path.startswith(one.rstrip("/") + "/") or one == "." for one in wanted)


def write_new(path: Path, text: str) -> None:
    """Write an imported file; never over another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ContentError(str(path), "exists already; rename one of the two.") from error


# ---- seeing


def addresses(settings: Settings, store: Store) -> list[str]:
    """Where the site, the feeds and the handles are, in plain words."""
    urls = settings.urls
    rows = [
        f"Your site is at        {urls.home}",
        f"Feeds for readers:     {urls.at('/feed.xml')}  {urls.at('/atom.xml')}  {urls.at('/feed.json')}",
        f"Drop reviews into:     {settings.content / 'reviews'}",
    ]
    rows += told(settings, store)
    rows.append("Stop with Ctrl+C.")
    return rows


def told(settings: Settings, store: Store) -> list[str]:
    """Whom people can follow, and why nobody is told of anything yet."""
    with store.reading() as reading:
        site = reading.editions.site()
        handles = [site.thing.handle] if site and site.thing.handle else []
        handles += [author.thing.handle for author in reading.editions.authors() if author.thing.handle]
        closed = gate.closed_because(reading, settings)
    accounts = "  ".join(f"@{settings.urls.account(handle)}" for handle in handles)
    rows = [f"People can follow:     {accounts}"]
    return [*rows, f"Not federating yet:    {closed}"] if closed else rows


def status(settings: Settings, store: Store) -> list[str]:
    """What is public, who follows, what is owed, what is wrong."""
    now = datetime.now(UTC)
    with store.reading() as reading:
        return [
            *_public(reading),
            *_audience(reading, settings),
            *_owed(reading, now),
            *_copied(reading, settings),
            *_wrong(reading, settings, now),
        ]


def _public(reading: Reading) -> list[str]:
    things = reading.editions.things(ThingKind.REVIEW)
    live = [thing for thing in things if thing.state is State.PUBLIC]
    missing = [thing for thing in live if thing.missing_since]
    rows = [f"Reviews: {len(live)} public, {sum(t.state is State.WITHDRAWN for t in things)} withdrawn."]
    rows += [f"  missing since {thing.missing_since:%Y-%m-%d %H:%M} UTC: {thing.path}" for thing in missing]
    copies = json.loads(reading.meta.get("copies", "{}"))
    rows += [f"  waits as a copy: {path} (dramafeed join OLD {path} makes it a rename)" for path in copies]
    return rows


def _audience(reading: Reading, settings: Settings) -> list[str]:
    counts = reading.audience.counts()
    rows = [f"  @{settings.urls.account(handle)}: {count}" for handle, count in sorted(counts.items())]
    return [f"Followers: {sum(counts.values())}.", *rows]


def _owed(reading: Reading, now: datetime) -> list[str]:
    jobs = reading.jobs.open_jobs()
    deliveries = reading.jobs.delivery_counts()
    still = deliveries.get("pending", 0) + deliveries.get("leased", 0)
    done, gave_up = deliveries.get("done", 0), deliveries.get("gave_up", 0)
    rows = [f"Deliveries: {done} done, {still} open, {gave_up} given up."]
    for job in jobs:
        thing = reading.editions.thing(job.subject)
        name = thing.path if thing else job.subject
        waits = max(0, round((job.due_at - now).total_seconds()))
        when = f"held: {job.reason}" if job.state is JobState.HELD else f"in {waits} s"
        if thing and thing.missing_since and job.kind is not JobKind.DELETE:
            when = "parked: its file is missing"
        rows.append(f"  {job.kind.value} of {name}: {when}")
    return rows


def _copied(reading: Reading, settings: Settings) -> list[str]:
    failed = reading.meta.get(daily.FAILED)
    rows = [failed] if failed else []
    if settings.backups is None or not settings.database_url.startswith("sqlite"):
        return rows
    done = reading.meta.get(daily.DONE)
    when = f"{datetime.fromisoformat(done):%Y-%m-%d %H:%M} UTC" if done else "none yet"
    return [*rows, f"Last backup: {when}, in {settings.backups}."]


def _wrong(reading: Reading, settings: Settings, now: datetime) -> list[str]:
    rows = []
    if closed := gate.closed_because(reading, settings):
        rows.append(f"Not federating: {closed}")
    if not settings.content.is_dir():
        rows.append(
            f"The content folder {settings.content} is not there; mount it, or set DRAMAFEED_CONTENT."
        )
    if held := reading.meta.get("removals_held"):
        rows.append(held)
    if reading.meta.holder("publisher", now) is None:
        rows.append(
            "Nobody watches the content folder; run `dramafeed serve` or `dramafeed worker --publish`."
        )
    problems = [Problem(**facts) for facts in json.loads(reading.meta.get("problems", "[]"))]
    rows += [f"Problems: {len(problems)}." if problems else "No problems in the content folder."]
    return rows + [f"  {problem}" for problem in problems]


def followers(settings: Settings, store: Store) -> list[str]:
    """Every follower of each actor of ours, oldest first."""
    with store.reading() as reading:
        rows = [
            f"@{settings.urls.account(handle)}  {follower.actor}  since {follower.since:%Y-%m-%d %H:%M} UTC"
            for handle in sorted(reading.audience.counts())
            for follower in reading.audience.followers(handle)
        ]
    return rows or ["Nobody follows yet."]


def deliveries(store: Store, name: str) -> list[str]:
    """The ledger of one review: a row per activity and inbox.

    Raises:
        ContentError: no review has this slug, path or uid.
    """
    with store.reading() as reading:
        things = reading.editions.things(ThingKind.REVIEW)
        found = [thing for thing in things if name in (thing.slug, thing.path, thing.uid)]
        if not found:
            raise ContentError(name, "no review has this name; `dramafeed status` lists them.")
        rows = [_ledger_row(row) for thing in found for row in reading.jobs.ledger(thing.uid)]
    return rows or ["Nothing of it was owed to anyone."]


def _ledger_row(row: LedgerRow) -> str:
    answer = str(row.last_status) if row.last_status else row.last_error or "not tried yet"
    next_try = f", next try {row.due_at:%Y-%m-%d %H:%M:%S} UTC" if row.state in ("pending", "leased") else ""
    return f"{row.kind:9} {row.inbox}  {row.state}, {row.attempts} tries, last answer: {answer}{next_try}"


def queue(store: Store, action: str) -> list[str]:
    """Show what is owed; with `retry` make all of it due now, with `drop` give it up."""
    now = datetime.now(UTC)
    with store.transaction() as tx:
        if action == "retry":
            return [f"{tx.jobs.retry_all(now)} deliveries are tried now."]
        if action == "drop":
            return [f"{tx.jobs.drop_all()} deliveries are given up."]
        return _owed(tx, now)


# ---- acts of a person


def join(store: Store, old: str, new: str) -> None:
    """Let the next pass treat two files as one renamed review.

    Raises:
        ContentError: no live review has the old path.
    """
    with store.transaction() as tx:
        known = {t.path for t in tx.editions.things(ThingKind.REVIEW) if t.state is not State.WITHDRAWN}
        if old not in known:
            raise ContentError(
                old, "no public review has this path; `dramafeed status` lists what is missing."
            )
        joins = json.loads(tx.meta.get("joins", "{}"))
        tx.meta.put("joins", json.dumps({**joins, new: old}))
        tx.meta.put("pass_wanted", str(uuid.uuid4()))


def new_keys(settings: Settings, store: Store) -> list[str]:
    """Make new keys for every actor after the old ones were lost, and open the gate.

    Raises:
        SettingsError: no keys were lost.
    """
    now = datetime.now(UTC)
    with store.transaction() as tx:
        if not tx.meta.get("keys_lost"):
            raise SettingsError("The keys are all there; nothing was changed.")
        site = tx.editions.site()
        handles = [INSTANCE_HANDLE, *([site.thing.handle] if site and site.thing.handle else [])]
        handles += [author.thing.handle for author in tx.editions.authors() if author.thing.handle]
        for handle in handles:
            give_key(tx, handle, now)
        tx.meta.put("keys_lost", "")
        tx.meta.put("pass_wanted", str(uuid.uuid4()))
        record_site_event(tx, settings.base_url, settings.handle_domain, str(uuid.uuid4()), now)
        tx.meta.touch([SITE_KEY], now)
    return [f"new key for {handle}" for handle in handles]
