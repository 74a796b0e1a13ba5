"""Carrying out a plan inside one transaction: editions, identities, and everything owed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dramafeed.activitypub import signatures
from dramafeed.model import (
    INSTANCE_HANDLE,
    SITE_KEY,
    Card,
    Federated,
    Review,
    State,
    Thing,
    ThingKind,
    followers_key,
)
from dramafeed.publishing import touched
from dramafeed.publishing.plan import Change, ChangeKind, Plan
from dramafeed.renderings import Renderings, actor_of, labels, wording
from dramafeed.settings import Settings
from dramafeed.storage import Transaction, codec, ledger
from dramafeed.storage.actors import ActorKey
from dramafeed.storage.identity import record_event
from dramafeed.storage.jobs import JobKind

_ANNOUNCEMENTS = (JobKind.CREATE, JobKind.ANNOUNCE, JobKind.UPDATE)
_SECOND = timedelta(seconds=1)


@dataclass
class Applied:
    """What a plan touched."""

    touched: set[str] = field(default_factory=set)
    updates: set[str] = field(default_factory=set)  # uids whose Update is owed now


class Applier:
    """One plan, one transaction.

    Args:
        tx: the transaction.
        settings: pauses and addresses.
        now: the instant of the pass.
        new_id: gives ids for ledger events.
        words: the reviews by path, for those that get a new edition.
    """

    def __init__(
        self,
        tx: Transaction,
        settings: Settings,
        now: datetime,
        new_id: Callable[[], str],
        words: Mapping[str, Review],
    ) -> None:
        self._tx = tx
        self._settings = settings
        self._now = now
        self._new_id = new_id
        self._library = words
        self._applied = Applied()
        self._known_renderings: Renderings | None = None

    def apply(self, plan: Plan) -> Applied:
        """Write every change of the plan.

        Raises:
            UnsettledError: a file changed since the plan was made; nothing may be committed.
        """
        self._applied = Applied()
        for change in plan.changes:
            if change.kind is ChangeKind.DISCARD:
                self._discard(change.thing)
            elif change.thing.kind is ThingKind.REVIEW:
                self._review(change)
            else:
                self._other(change)
        return self._applied

    # ---- reviews

    def _review(self, change: Change) -> None:
        old_words = self._words(change.before)
        fresh = self._library[change.words.path] if isinstance(change.words, Card) else None
        new_words = fresh or old_words
        old_post = self._post(change.before)
        old_slug = change.before.slug if change.before else None
        thing = self._frozen(change, new_words)
        if change.kind is ChangeKind.WITHDRAW:
            thing = self._withdraw(thing)
        thing = self._store(thing, codec.encode(fresh) if fresh else "")
        if fresh is not None:
            self._index(thing, fresh)
        if old_post is not None and thing.state is not State.WITHDRAWN:
            thing = self._revise(thing, old_post)
        if change.kind is ChangeKind.SHOW and thing.revised_at is not None:
            self._tell_edit(thing)  # it may have been edited while it was hidden; fan-out knows what was sent
        self._owe(change, thing)
        self._record(thing, change.before)
        self._applied.touched |= touched.by_review((change.before, old_words), (thing, new_words))
        moved = old_slug != thing.slug or (change.before and change.before.path != thing.path)
        if moved or change.kind in (ChangeKind.WITHDRAW, ChangeKind.HIDE, ChangeKind.SHOW):
            self._touch_linking(thing, change.before)

    def _frozen(self, change: Change, words: Review | None) -> Thing:
        """The form of its object is chosen once."""
        thing = change.thing
        if thing.form or words is None:
            return thing
        renderings = self._renderings()
        return replace(thing, form=renderings.form(words) if renderings else "note")

    def _store(self, thing: Thing, text: str) -> Thing:
        """Write a thing, with a new edition when there is a text for one."""
        if text:
            self._tx.editions.put(thing)  # the edition refers to it
            thing = replace(thing, edition=self._tx.editions.add_edition(thing.uid, text, self._now))
        self._tx.editions.put(thing)
        return thing

    def _index(self, thing: Thing, review: Review) -> None:
        found = [(label.kind, label.slug, label.name) for label in labels(review)]
        self._tx.editions.put_labels(thing.uid, found)
        self._tx.editions.put_links(thing.uid, (path for _raw, path in review.links))
        self._tx.editions.put_redirects(thing.uid, review.redirect_from)

    def _words(self, thing: Thing | None) -> Review | None:
        return self._tx.editions.fields(Review, thing.edition) if thing else None

    def _post(self, thing: Thing | None) -> dict[str, object] | None:
        """The Note of a review that was shown before, without what machines count or stamp."""
        renderings = self._renderings()
        if thing is None or thing.edition is None or thing.published is None or renderings is None:
            return None
        return wording(renderings.post(self._tx.editions.review(thing)))

    def _renderings(self) -> Renderings | None:
        if self._known_renderings is None:
            site = self._tx.editions.site()
            self._known_renderings = Renderings(self._settings.urls, site) if site else None
        return self._known_renderings

    def _revise(self, thing: Thing, old_post: dict[str, object]) -> Thing:
        """Owe an Update when the Note that others hold would read differently."""
        if self._post(thing) == old_post:
            return thing
        floor = [thing.published or self._now, self._now.replace(microsecond=0)]
        if thing.revised_at is not None:
            floor.append(thing.revised_at + _SECOND)
        thing = replace(thing, revised_at=max(floor))
        self._tx.editions.put(thing)
        if thing.state is State.PUBLIC:
            self._tell_edit(thing)
        return thing

    def _tell_edit(self, thing: Thing) -> None:
        """Owe an Update to those who were told, unless a Create is still to come."""
        unsent = self._tx.jobs.pending(JobKind.CREATE, thing.uid)
        if unsent is None and self._tx.audience.was_told(thing.uid) and thing.federated is Federated.TOLD:
            self._owe_update(JobKind.UPDATE, thing.uid)
            self._applied.updates.add(thing.uid)

    def _owe_update(self, kind: JobKind, subject: str) -> None:
        """Five minutes after the last save, at most fifteen after the first."""
        quiet = timedelta(seconds=self._settings.quiet_seconds)
        pending = self._tx.jobs.pending(kind, subject)
        due = self._now + quiet
        if pending is not None:
            due = min(due, max(pending.first_at + 3 * quiet, self._now))
        self._tx.jobs.owe(kind, subject, due, self._now)

    def _owe(self, change: Change, thing: Thing) -> None:
        told = thing.federated is Federated.TOLD
        was_told = change.before is not None and change.before.federated is Federated.TOLD
        again = change.kind is ChangeKind.PUBLISH and not self._told_before_loss(change)
        if thing.state is State.PUBLIC and told and (again or not was_told):
            due = self._now + timedelta(seconds=self._settings.hold_seconds)
            self._tx.jobs.owe(JobKind.CREATE, thing.uid, due, self._now)
        elif was_told and not told:
            cancel_announcements(self._tx, thing.uid)

    def _told_before_loss(self, change: Change) -> bool:
        """True for a review that came back from the ledger: its followers were told long ago."""
        before = change.before
        return before is not None and before.federated is Federated.TOLD and before.edition is None

    def _withdraw(self, thing: Thing) -> Thing:
        """Take back what was not sent, and owe a Delete to everyone who was told."""
        cancel_announcements(self._tx, thing.uid)
        never = self._tx.jobs.cancel_deliveries(thing.uid, self._now)
        self._tx.audience.untell(thing.uid, never)
        told = bool(self._tx.audience.told(thing.uid))
        if told:
            self._tx.jobs.owe(JobKind.DELETE, thing.uid, self._now, self._now)
        return replace(thing, deleted=thing.deleted or told)

    def _touch_linking(self, thing: Thing, before: Thing | None) -> None:
        paths = {thing.path} | ({before.path} if before else set())
        uids = {uid for path in paths for uid in self._tx.editions.linking_to(path)}
        if uids:
            self._applied.touched |= touched.by_linked(uids)

    def _discard(self, thing: Thing) -> None:
        """Take out a review or implied author that nobody outside was told about."""
        cancel_announcements(self._tx, thing.uid)
        if thing.kind is ThingKind.REVIEW:
            self._applied.touched |= touched.by_review((thing, self._words(thing)))
        else:
            self._applied.touched |= touched.by_author(thing, (), renamed=True)
            self._tx.actors.drop_key(thing.handle or "")
        self._tx.editions.remove(thing.uid)
        self._event(thing, {**ledger.snapshot(thing, ()), "withdrawn": True, "handle": None})

    # ---- the site, authors, dramas, pages

    def _other(self, change: Change) -> None:
        thing = change.thing
        old_actor = self._actor(change.thing)
        thing = self._store(thing, change.text)
        if thing.kind is ThingKind.SITE:
            self._known_renderings = None
        self._give_key(thing)
        self._record(thing, change.before)
        renamed = change.before is None or (change.before.title, change.before.slug) != (
            thing.title,
            thing.slug,
        )
        if thing.kind is ThingKind.SITE:
            self._applied.touched.add(SITE_KEY)
        elif thing.kind is ThingKind.PAGE:
            self._applied.touched |= touched.by_page(thing)
        else:
            by = touched.by_author if thing.kind is ThingKind.AUTHOR else touched.by_drama
            self._applied.touched |= by(thing, self._tx.editions.refer_to(thing.uid), renamed=renamed)
        if thing.handle and change.before is not None:
            self._revise_actor(thing, old_actor)

    def _actor(self, thing: Thing) -> dict[str, object] | None:
        """The actor as the database has it now."""
        return actor_of(self._tx, self._settings.urls, thing.handle) if thing.handle else None

    def _revise_actor(self, thing: Thing, old: dict[str, object] | None) -> None:
        """Profile edits are sent to the actor's followers, one Update for many saves."""
        if old is not None and old != self._actor(thing):
            self._owe_update(JobKind.UPDATE_ACTOR, thing.handle or "")

    def _give_key(self, thing: Thing) -> None:
        """Every actor gets its key pair when it first appears."""
        handles = [thing.handle] if thing.handle else []
        if thing.kind is ThingKind.SITE:
            handles.append(INSTANCE_HANDLE)
        for handle in handles:
            if self._tx.meta.get("keys_lost") or self._tx.actors.key(handle):
                continue
            give_key(self._tx, handle, self._now)
            self._applied.touched.add(followers_key(handle))

    # ---- the ledger

    def _record(self, thing: Thing, before: Thing | None) -> None:
        """Record an identity event when anything of the identity changed."""
        if thing.kind in (ThingKind.DRAMA, ThingKind.PAGE):
            return
        facts = ledger.snapshot(thing, self._tx.editions.slugs_of(thing.uid), self._redirects(thing))
        if before is not None and before.edition is not None:
            earlier = ledger.snapshot(before, facts["slugs"], facts["redirect_from"])
            if earlier == facts:
                return
        self._event(thing, facts)

    def _redirects(self, thing: Thing) -> list[str]:
        return self._tx.editions.redirects_of(thing.uid)

    def _event(self, thing: Thing, facts: dict[str, object]) -> None:
        settings = self._settings
        record_event(
            self._tx, settings.base_url, settings.handle_domain, self._new_id(), self._now, thing, facts
        )


def give_key(tx: Transaction, handle: str, now: datetime) -> None:
    """Make and store a new key pair for an actor of ours."""
    key = signatures.PrivateKey.generate()
    tx.actors.put_key(ActorKey(handle, key.pem(), key.public_pem, now))


def cancel_announcements(tx: Transaction, uid: str) -> None:
    """Drop what is owed about a thing and not frozen yet."""
    tx.jobs.cancel(uid, _ANNOUNCEMENTS)
