"""From one decision that is owed to one delivery per inbox, in one transaction.

The body is frozen here, after the hold, so that every try sends the same bytes. Will not send anything.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dramafeed.activitypub import vocabulary
from dramafeed.model import Federated, PublicReview, ThingKind, thing_key
from dramafeed.renderings import Renderings, actor_of, wording
from dramafeed.settings import Settings
from dramafeed.storage import Transaction
from dramafeed.storage.jobs import Activity, Job, JobKind

ANNOUNCE_AFTER = timedelta(seconds=60)  # the author's Create should be there first
_POSTS = ("create", "update")


class FanOut:
    """Carries out jobs.

    Args:
        tx: the transaction that also settles the job.
        settings: addresses and pauses.
        now: the present.
    """

    def __init__(self, tx: Transaction, settings: Settings, now: datetime) -> None:
        self._tx = tx
        self._urls = settings.urls
        self._settings = settings
        self._now = now

    def carry_out(self, job: Job) -> int:
        """Freeze the activity of a job and owe its deliveries; how many."""
        by_kind = {
            JobKind.CREATE: self._create,
            JobKind.ANNOUNCE: self._announce,
            JobKind.UPDATE: self._update,
            JobKind.DELETE: self._delete,
            JobKind.UPDATE_ACTOR: self._update_actor,
        }
        return by_kind[job.kind](job)

    # ---- reviews

    def _create(self, job: Job) -> int:
        public, renderings = self._review(job.subject)
        handle = public.thing.attributed_to or ""
        number = activity_uid(public.thing.uid, "create")
        document = vocabulary.create(urls=self._urls, uid=number, document=renderings.post(public))
        inboxes = self._tx.audience.inboxes_of([handle])
        sent = self._send(number, "create", public.thing.uid, handle, document, inboxes)
        blog = renderings.site.thing.handle or ""
        if not public.thing.unlisted and handle != blog:
            due = self._now + min(ANNOUNCE_AFTER, timedelta(seconds=self._settings.hold_seconds))
            self._tx.jobs.owe(JobKind.ANNOUNCE, public.thing.uid, due, self._now)
        return sent

    def _announce(self, job: Job) -> int:
        public, renderings = self._review(job.subject)
        blog = renderings.site.thing.handle or ""
        document = self._announcement(public, blog)
        inboxes = self._tx.audience.inboxes_of([blog])
        number = activity_uid(public.thing.uid, "announce")
        self._tx.audience.tell(public.thing.uid, inboxes, announced=True)
        return self._send(number, "announce", public.thing.uid, blog, document, inboxes)

    def _announcement(self, public: PublicReview, blog: str) -> dict[str, Any]:
        return vocabulary.announce(
            urls=self._urls,
            uid=activity_uid(public.thing.uid, "announce"),
            handle=blog,
            object_id=self._urls.object(public.thing.uid),
            author_id=self._urls.actor(public.thing.attributed_to or blog),
            published=public.published,
        )

    def _update(self, job: Job) -> int:
        """The Update of a review, unless the edit was taken back meanwhile."""
        public, renderings = self._review(job.subject)
        if public.thing.federated is not Federated.TOLD:
            return 0
        post = renderings.post(public)
        last = self._tx.jobs.last_activity(public.thing.uid, _POSTS)
        if last is not None and wording(vocabulary.load(last.body).get("object")) == wording(post):
            return 0
        revised = public.thing.revised_at or self._now
        number = activity_uid(public.thing.uid, f"update {revised.isoformat()}")
        document = vocabulary.update(urls=self._urls, uid=number, document=post)
        handle = public.thing.attributed_to or ""
        inboxes = self._tx.audience.told(public.thing.uid)
        return self._send(number, "update", public.thing.uid, handle, document, inboxes)

    def _delete(self, job: Job) -> int:
        """Delete by the author to everyone who was told, Undo by the blog where it announced."""
        thing = self._tx.editions.thing(job.subject)
        if thing is None:
            return 0
        handle = thing.attributed_to or ""
        inboxes = self._tx.audience.told(thing.uid)
        announced = self._tx.audience.told(thing.uid, announced=True)
        number = activity_uid(thing.uid, "delete")
        document = vocabulary.delete(
            urls=self._urls,
            uid=number,
            handle=handle,
            object_id=self._urls.object(thing.uid),
            deleted=self._now,
        )
        sent = self._send(number, "delete", thing.uid, handle, document, inboxes)
        site = self._tx.editions.site()
        original = self._tx.jobs.activity(activity_uid(thing.uid, "announce"))
        if announced and site and original:
            undo = activity_uid(thing.uid, "undo announce")
            blog = site.thing.handle or ""
            whole = vocabulary.undo(
                urls=self._urls, uid=undo, handle=blog, activity=vocabulary.load(original.body)
            )
            sent += self._send(undo, "undo", thing.uid, blog, whole, announced)
        self._tx.meta.touch([thing_key(ThingKind.REVIEW, thing.uid)], self._now)
        return sent

    def _review(self, uid: str) -> tuple[PublicReview, Renderings]:
        thing, site = self._tx.editions.thing(uid), self._tx.editions.site()
        if thing is None or site is None:
            raise LookupError(f"review {uid} has a job but no row")
        return self._tx.editions.review(thing), Renderings(self._urls, site)

    # ---- actors

    def _update_actor(self, job: Job) -> int:
        handle = job.subject
        document = actor_of(self._tx, self._urls, handle)
        if document is None:
            return 0
        subject = f"actor:{handle}"
        last = self._tx.jobs.last_activity(subject, ("update",))
        if last is not None and vocabulary.load(last.body).get("object") == vocabulary.without_context(
            document
        ):
            return 0
        number = activity_uid(handle, f"update {self._now.isoformat()}")
        whole = vocabulary.update(urls=self._urls, uid=number, document=document)
        inboxes = self._tx.audience.inboxes_of([handle])
        return self._send(number, "update", subject, handle, whole, inboxes)

    # ---- all

    def _send(
        self, number: str, kind: str, uid: str, handle: str, document: dict[str, Any], inboxes: Sequence[int]
    ) -> int:
        activity = Activity(number, kind, uid, handle, self._now, vocabulary.dumps(document))
        self._tx.jobs.add_activity(activity)
        needs_public = kind in ("create", "announce") or (kind == "update" and not uid.startswith("actor:"))
        if kind == "create":
            self._tx.audience.tell(uid, inboxes, announced=False)
        return self._tx.jobs.deliver(activity, inboxes, self._now, needs_public=needs_public)


def activity_uid(uid: str, what: str) -> str:
    """The id of an activity follows from what it says, so that a repeat carries the same.

    A Create has the uid of its review: it can be looked up also when it was never sent.
    """
    if what == "create":
        return uid
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{uid}#{what}"))
