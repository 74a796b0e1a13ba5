"""The only way anything becomes public: one pass over the folder, one transaction.

`Publisher.run_pass` reads the folder, asks `changes.diff` for a plan and writes editions, identities,
tombstones and everything owed to other servers together, or not at all. Then it appends the identity
events to the ledger. It never touches the network and never knows a recipient.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from dramafeed.content import UnsettledError, first_commits
from dramafeed.errors import ContentError, StorageError
from dramafeed.model import Federate, Library, Problem, Site, State, Thing, ThingKind
from dramafeed.publishing import gate, guards
from dramafeed.publishing.apply import Applied, Applier
from dramafeed.publishing.changes import diff
from dramafeed.publishing.inventory import Inventory, Told
from dramafeed.publishing.plan import Change, ChangeKind, Plan, Rules, Stored
from dramafeed.publishing.remember import remember
from dramafeed.publishing.reviews import withdrawn
from dramafeed.settings import Settings
from dramafeed.storage import Reading, Store, Transaction, ledger
from dramafeed.storage.jobs import JobKind, JobState

_SOON = timedelta(seconds=1)


class Reader(Protocol):
    """What the publisher needs of the content folder (`content.LibraryReader`)."""

    root: Path
    unsettled: bool

    def load(self, *, now: datetime, fallback_site: Site | None = None) -> Library:
        """Read the folder."""
        ...

    @property
    def maker(self) -> str:
        """The way in which files are read: under another one, records are of no use."""
        ...

    def recall(self, maker: str, records: Iterable[tuple[str, str]]) -> None:
        """Take up what an earlier process found out."""
        ...

    @property
    def has_unsaved(self) -> bool:
        """True when `unsaved` has something to tell."""
        ...

    def unsaved(self) -> dict[str, str | None]:
        """What was found out since the last question, by path; None for files that went."""
        ...

    def release(self) -> None:
        """Let go of what only the pass needed."""
        ...


@dataclass(frozen=True)
class Confirmed:
    """What a person has said yes to, for one pass."""

    mass_delete: bool = False
    mass_update: bool = False
    federate_old: bool = False


@dataclass(frozen=True)
class Report:
    """What a pass did (or, in a dry run, would do)."""

    changes: tuple[Change, ...] = ()
    problems: tuple[Problem, ...] = ()
    removals_held: str = ""
    updates_held: int = 0
    look_again: datetime | None = None
    reaches: dict[str, int] = field(default_factory=dict)  # uid -> inboxes, in a dry run


class Publisher:
    """Publishes one content folder into one store.

    Args:
        store: the database.
        settings: pauses, addresses and paths.
        reader: reads the content folder.
        clock: gives the present, aware.
        new_id: gives random UUIDs as text (site id and ledger events).
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        reader: Reader,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._store = store
        self._settings = settings
        self._reader = reader
        self._clock = clock
        self._new_id = new_id
        self._inventory = Inventory()
        self._restless: set[str] | None = None  # paths of reviews that need another look; None: all
        self._settled_words: dict[str, object] = {}

    @property
    def ledger_path(self) -> Path:
        """Where the identity ledger is kept."""
        return ledger.path_of(self._settings.content, self._settings.data)

    @property
    def unsettled(self) -> bool:
        """True when the last pass met files that were still being written."""
        return self._reader.unsettled

    def start(self) -> None:
        """Take up an existing site: remember identities and files, check the address, fill the ledger's gap.

        Raises:
            SettingsError: BASE_URL or HANDLE_DOMAIN changed after somebody had followed.
        """
        with self._store.transaction() as tx:
            if not tx.meta.get("site_id"):
                remember(tx, self._settings, self.ledger_path, self._new_id)
            gate.check_address(tx, self._settings)
        with self._store.reading() as tx:
            self._reader.recall(tx.meta.get("files_maker"), tx.files.all())
        self.write_ledger()

    def run_pass(self, confirmed: Confirmed = Confirmed()) -> Report:
        """Make the outside equal to the folder; what was done."""
        try:
            return self._pass(confirmed)
        except UnsettledError:  # a file was saved while it was being published
            return Report(look_again=self._clock() + _SOON)
        finally:
            self._reader.release()

    def _pass(self, confirmed: Confirmed) -> Report:
        now = self._clock()
        library = self._load(now)
        if self._reader.unsettled and not self._made_first_pass():
            # What the first pass leaves out would count as new, and be told to followers.
            return Report(look_again=now + _SOON)
        held = 0
        with self._store.transaction() as tx:
            # Decided inside: until it is carried out, no inbox may change who has to be told.
            plan = self._decide(tx, library, now, confirmed)
            if plan.changes or self._has_news(tx, _noted(plan, library), confirmed):
                applied = Applier(tx, self._settings, now, self._new_id, library.reviews).apply(plan)
                held = self._hold_updates(tx, applied, confirmed)
                self._note(tx, plan, library)
                if applied.touched:
                    tx.meta.touch(applied.touched, now)
            self._keep_records(tx, library)
        self._settle(plan, library)
        self.write_ledger(anew=library.complete and not plan.missing)
        return replace(_report(plan, library), updates_held=held)

    def dry_run(self, confirmed: Confirmed = Confirmed()) -> Report:
        """What `run_pass` would do, with the number of inboxes each change reaches; writes nothing."""
        now = self._clock()
        library = self._load(now)
        with self._store.reading() as tx:
            plan = self._decide(tx, library, now, confirmed)
            reaches = {change.thing.uid: _reach(tx, change) for change in plan.changes}
        return replace(_report(plan, library), reaches=reaches)

    def withdraw(self, name: str) -> Thing:
        """Take a review back now and everywhere.

        Args:
            name: its slug, path or uid.

        Raises:
            ContentError: no such public review.
        """
        now = self._clock()
        with self._store.transaction() as tx:
            thing = _find(tx, name)
            told = bool(tx.audience.told(thing.uid))
            after = replace(withdrawn(thing, told=told), final=True)
            applier = Applier(tx, self._settings, now, self._new_id, {})
            applied = applier.apply(Plan(changes=(Change(ChangeKind.WITHDRAW, after, thing),)))
            tx.meta.touch(applied.touched, now)
        self.write_ledger()
        return after

    def write_ledger(self, *, anew: bool = False) -> None:
        """Append to the ledger what it lacks. When the disk refuses, the events stay owed.

        Args:
            anew: write the whole file when it is gone. Only a pass that found every review may say so: an
                empty folder may be a mount point without its disk.

        Raises:
            StorageError: the file cannot be written.
        """
        path = self.ledger_path
        if not self._settings.content.exists():
            return
        with self._store.reading() as tx:
            gone = bool(tx.meta.get("ledger_written")) and not path.exists()
            if gone and not anew:
                return
            events = tx.editions.all_events() if gone else tx.editions.unwritten_events()
        if not events:
            return
        try:
            ledger.append(path, events)
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written ({error.strerror}); nothing is sent until it can."
            ) from error
        with self._store.transaction() as tx:
            tx.editions.mark_written([event_id for event_id, _line in events])

    # ---- looking

    def _load(self, now: datetime) -> Library:
        with self._store.reading() as tx:
            site = tx.editions.site()
            first = not tx.meta.get("first_pass")
        library = self._reader.load(now=now, fallback_site=site.site if site else None)
        self._disturb(library.changed)
        return _with_commits(library, self._reader.root) if first else library

    def _decide(self, tx: Reading, library: Library, now: datetime, confirmed: Confirmed) -> Plan:
        return diff(self._stored(tx), library, now, self._rules(tx, confirmed), tx.meta.get("site_id"))

    def _stored(self, tx: Reading) -> Stored:
        known = self._inventory
        for thing in known.refresh(tx):
            self._disturb({thing.path})
            self._settled_words.pop(thing.uid, None)
        unsent = {job.subject for job in tx.jobs.open_jobs(JobKind.CREATE)}
        return Stored(
            site=next((site for site in known.of(ThingKind.SITE) if site.edition is not None), None),
            authors=known.of(ThingKind.AUTHOR),
            dramas=known.of(ThingKind.DRAMA),
            pages=known.of(ThingKind.PAGE),
            reviews=known.reviews,
            author_slugs=known.slugs[ThingKind.AUTHOR],
            drama_slugs=known.slugs[ThingKind.DRAMA],
            unsent=frozenset(unsent),
            told=Told(tx),
            followed=frozenset(tx.audience.counts()),
            copies=_instants(tx.meta.get("copies", "{}")),
            joins=json.loads(tx.meta.get("joins", "{}")),
            restless=self._restless,
            settled_words=self._settled_words,
            first_pass=not tx.meta.get("first_pass"),
            root_identity=tx.meta.get("root_identity"),
            site_file=bool(tx.meta.get("site_file")),
            ledger_lost=bool(tx.meta.get("ledger_written")) and not self.ledger_path.exists(),
        )

    def _rules(self, tx: Reading, confirmed: Confirmed) -> Rules:
        settings = self._settings
        return Rules(
            hold=timedelta(seconds=settings.hold_seconds),
            grace=timedelta(seconds=settings.grace_seconds),
            quiet=timedelta(seconds=settings.quiet_seconds),
            gate=gate.is_open(tx, settings),
            allow_mass_delete=confirmed.mass_delete,
            federate_old=confirmed.federate_old,
        )

    def _made_first_pass(self) -> bool:
        with self._store.reading() as tx:
            return bool(tx.meta.get("first_pass"))

    def _has_news(self, tx: Reading, noted: dict[str, str], confirmed: Confirmed) -> bool:
        """True when a pass without changes still has something to write."""
        return (
            any(tx.meta.get(key) != value for key, value in noted.items())
            or not tx.meta.get("first_pass")
            or (confirmed.mass_update and bool(_held_updates(tx)))
        )

    # ---- writing

    def _hold_updates(self, tx: Transaction, applied: Applied, confirmed: Confirmed) -> int:
        """More Updates than an editing hand makes wait for a person."""
        if confirmed.mass_update:
            tx.jobs.release(JobKind.UPDATE)
        elif len(applied.updates) > guards.MANY_UPDATES:
            jobs = [tx.jobs.pending(JobKind.UPDATE, uid) for uid in sorted(applied.updates)]
            reason = f"{len(applied.updates)} reviews changed in one pass"
            tx.jobs.hold([job.id for job in jobs if job], reason)
        return len(_held_updates(tx))

    def _note(self, tx: Transaction, plan: Plan, library: Library) -> None:
        if not library.complete:
            return
        for key, value in _noted(plan, library).items():
            tx.meta.put(key, value)
        tx.meta.put("first_pass", "done")
        renamed = {change.thing.path for change in plan.changes if change.kind is ChangeKind.RENAME}
        joins = json.loads(tx.meta.get("joins", "{}"))
        if renamed & joins.keys():
            tx.meta.put("joins", json.dumps({new: old for new, old in joins.items() if new not in renamed}))

    def _disturb(self, paths: Collection[str] | None) -> None:
        """These reviews need another look; None: all of them."""
        if paths is None or self._restless is None:
            self._restless = None
        else:
            self._restless.update(paths)

    def _settle(self, plan: Plan, library: Library) -> None:
        """Let all rest that is as the folder wants it, and that nobody has to be told about."""
        if not library.complete:
            return
        live, cards = self._inventory.reviews.live, library.cards
        looked_at = live.keys() | cards.keys() if self._restless is None else self._restless
        befores = (change.before for change in plan.changes)
        restless = {thing.path for thing in befores if thing} | {c.thing.path for c in plan.changes}
        restless |= {problem.path for problem in plan.problems} | plan.copies.keys() | library.broken
        restless |= {path for path in looked_at if (path in cards) != (path in live)}
        eager = (cards[path] for path in looked_at if path in cards)
        restless |= {card.path for card in eager if card.draft or card.federate is Federate.NOW}
        self._restless = restless
        changed_uids = {change.thing.uid for change in plan.changes}
        slugs = self._inventory.slugs.get(ThingKind.DRAMA, {})
        self._settled_words = {
            slugs[slug]: drama
            for slug, drama in library.dramas.items()
            if slug in slugs and slugs[slug] not in changed_uids
        }

    def _keep_records(self, tx: Transaction, library: Library) -> None:
        """Let the next process know what was found out about files; without, it reads them again."""
        if library.complete and self._reader.has_unsaved:
            tx.files.put(self._reader.unsaved())
            tx.meta.put("files_maker", self._reader.maker)


def _noted(plan: Plan, library: Library) -> dict[str, str]:
    """Facts about a pass that the next one, and `status`, read."""
    problems = [vars(problem) for problem in (*library.problems, *plan.problems)]
    noted = {
        "copies": json.dumps({path: at.isoformat() for path, at in sorted(plan.copies.items())}),
        "problems": json.dumps(problems, ensure_ascii=False),
        "removals_held": plan.removals_held,
        "ledger_written": "yes",
    }
    if "site.yaml" in library.facts:
        noted["site_file"] = "yes"
    if not plan.removals_held and library.root_identity:
        noted["root_identity"] = library.root_identity
    return noted


def _held_updates(tx: Reading) -> list[int]:
    return [job.id for job in tx.jobs.open_jobs(JobKind.UPDATE) if job.state is JobState.HELD]


def _report(plan: Plan, library: Library) -> Report:
    problems = (*library.problems, *plan.problems)
    return Report(plan.changes, problems, plan.removals_held, look_again=plan.look_again)


def _with_commits(library: Library, root: Path) -> Library:
    """A first pass asks git when each undated file was first committed."""
    commits = first_commits(root)
    facts = {path: replace(fact, committed=commits.get(path)) for path, fact in library.facts.items()}
    return replace(library, facts=facts)


def _instants(text: str) -> dict[str, datetime]:
    return {path: datetime.fromisoformat(at) for path, at in json.loads(text).items()}


def _find(tx: Reading, name: str) -> Thing:
    for thing in tx.editions.things(ThingKind.REVIEW):
        if thing.state in (State.PUBLIC, State.HIDDEN) and name in (thing.slug, thing.path, thing.uid):
            return thing
    raise ContentError(name, "no public review has this name; `dramafeed status` lists them.")


def _reach(tx: Reading, change: Change) -> int:
    """How many inboxes a change will reach."""
    thing = change.thing
    if thing.kind is not ThingKind.REVIEW:
        return 0
    told = tx.audience.told(thing.uid)
    if told or change.kind not in (ChangeKind.PUBLISH, ChangeKind.TELL) or thing.federated != "told":
        return len(told)
    site = tx.editions.site()
    handles = {thing.attributed_to or "", "" if thing.unlisted or not site else site.thing.handle or ""}
    return len(tx.audience.inboxes_of(handles))
