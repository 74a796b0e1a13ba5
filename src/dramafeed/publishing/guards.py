"""The guards: what keeps an accident in the folder from reaching followers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dramafeed.model import Card, Federate, Federated, FileFacts, State, Thing
from dramafeed.publishing.plan import Draft

MANY_MISSING = 20
SHARE_MISSING = (5, 0.10)  # at least this many and more than this share
MANY_UPDATES = 20
ONE_HOUR = timedelta(hours=1)


def removals_held(draft: Draft, missing: Sequence[Thing]) -> str:
    """Why the missing reviews may not be withdrawn without a person's word; "" when they may."""
    open_ = [thing for thing in missing if not thing.removal_confirmed]
    if not open_ or draft.rules.allow_mass_delete:
        return ""
    recent = [thing for thing in draft.stored.reviews.by_uid.values() if _withdrawn_lately(thing, draft)]
    live = len(draft.stored.reviews.live)
    gone, total = len(open_) + len(recent), live + len(recent)
    confirm = "put them back, or confirm with `dramafeed publish --allow-mass-delete`"
    if _folder_replaced(draft):
        return (
            f"The content folder was replaced or is not mounted; {len(open_)} reviews are missing and stay "
            f"public: {confirm}."
        )
    if total >= 2 and len(open_) == live:
        return f"All {len(open_)} public reviews are missing; they stay public: {confirm}."
    few, share = SHARE_MISSING
    if gone > MANY_MISSING or (gone >= few and gone > share * total):
        return f"{gone} of {total} reviews went missing together; they stay public: {confirm}."
    return ""


def _withdrawn_lately(thing: Thing, draft: Draft) -> bool:
    gone = thing.state is State.WITHDRAWN and thing.missing_since is not None
    return (
        gone
        and not thing.removal_confirmed
        and thing.missing_since is not None
        and draft.now - thing.missing_since < 2 * draft.rules.grace
    )


def _folder_replaced(draft: Draft) -> bool:
    before, after = draft.stored.root_identity, draft.library.root_identity
    return draft.stored.ledger_lost or bool(before and after and before != after)


def first_word(draft: Draft, review: Card, published: datetime, crowd: int) -> Federated:
    """Whether a review that just became public is told to followers, or kept quiet.

    Args:
        published: its frozen instant of publication.
        crowd: how many undated reviews came within the window, this one included.
    """
    rules = draft.rules
    if review.federate is Federate.NO or not rules.gate:
        return Federated.QUIET
    if review.federate is Federate.NOW or rules.federate_old:
        return Federated.TOLD
    if draft.stored.first_pass:
        return Federated.QUIET
    if review.published is not None and published < draft.now - rules.old_after:
        return Federated.QUIET
    if review.published is None and crowd > rules.undated_limit:
        return Federated.QUIET
    return Federated.TOLD


def undated_crowd(draft: Draft, new: Sequence[Card]) -> tuple[int, list[Thing]]:
    """How many undated reviews appeared within the window, and those of them that were published before."""
    since = draft.now - draft.rules.undated_window
    earlier = [
        thing
        for thing in draft.stored.reviews.undated.values()
        if thing.state is State.PUBLIC
        and thing.federated is Federated.TOLD
        and thing.first_seen is not None
        and thing.first_seen > since
    ]
    return len(earlier) + sum(review.published is None for review in new), earlier


def archive_times(draft: Draft, new: Sequence[Card]) -> dict[str, datetime]:
    """In a first pass: when each undated review was probably written.

    File times that all lie within one hour only tell when the folder was copied; then the first commit
    counts where git knows it, else the present, with a warning.
    """
    undated = [review for review in new if review.published is None]
    facts = {r.path: draft.library.facts[r.path] for r in undated if r.path in draft.library.facts}
    times = [fact.modified for fact in facts.values()]
    copied = len(times) > 1 and max(times) - min(times) <= ONE_HOUR
    found: dict[str, datetime] = {}
    for review in undated:
        moment = _written(facts.get(review.path), copied)
        if moment is None:
            draft.problem(
                review.path,
                "has no date, and its file time only tells when the folder was copied",
                "Add a line `published: YYYY-MM-DD`, or it keeps today's date.",
                warning=True,
                name="published",
            )
        found[review.path] = min(moment or draft.now, draft.now)
    return found


def _written(facts: FileFacts | None, copied: bool) -> datetime | None:
    if facts is None:
        return None
    return facts.committed if copied else facts.committed or facts.modified
