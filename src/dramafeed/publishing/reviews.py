"""The rules for review files: new, edited, renamed, missing, hidden, withdrawn. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dramafeed.model import Card, Federate, Federated, Problem, Severity, State, Thing, ThingKind
from dramafeed.publishing import guards
from dramafeed.publishing.plan import ChangeKind, Draft, uid_of

_SECOND = timedelta(seconds=1)


def diff_reviews(draft: Draft) -> None:
    """Plan everything that concerns reviews."""
    live, present = draft.stored.reviews.live, draft.library.cards
    paths = sorted(_restless(draft))
    missing = [live[p] for p in paths if p in live and p not in present and p not in draft.library.broken]
    new = [present[path] for path in paths if path in present and path not in live]
    known = [present[path] for path in paths if path in present and path in live]
    _forget_final(draft)
    new, missing = _pair_renames(draft, new, missing, live)
    renamed = {change.thing.uid for change in draft.changes if change.kind is ChangeKind.RENAME}
    discarded = {c.thing.uid for c in draft.changes if c.kind is ChangeKind.DISCARD}
    for review in known:
        thing = live[review.path]
        if thing.uid not in renamed and thing.uid not in discarded:
            _existing(draft, thing, review)
    _missing(draft, missing)
    _new(draft, new)


def _restless(draft: Draft) -> Collection[str]:
    """The paths of the reviews that may differ from what is public."""
    restless = draft.stored.restless
    if restless is None or draft.rules.federate_old:
        return draft.stored.reviews.live.keys() | draft.library.cards.keys()
    return restless


# ---- renames


def _pair_renames(
    draft: Draft, new: list[Card], missing: list[Thing], live: dict[str, Thing]
) -> tuple[list[Card], list[Thing]]:
    """Recognise files that moved; the reviews and things that are left."""
    young = _young(draft, live) if missing else {}
    candidates = [*new, *young.values()]
    recent = {thing.uid for thing in missing if _is_recent(draft, thing)}
    for thing in list(missing):
        review = _joined(draft, thing, candidates) or _same_file(thing, candidates)
        if review is None:
            # Two reviews that came together and share a title are two reviews, not one that moved.
            review = _only_twin(draft, thing, missing, new if thing.uid in recent else candidates)
        if review is None:
            continue
        candidates.remove(review)
        missing.remove(thing)
        if review in new:
            new.remove(review)
        else:
            early = live[review.path]
            draft.held[early.slug] = None
            draft.add(ChangeKind.DISCARD, early, early)
        draft.copies.pop(review.path, None)
        _existing(draft, replace(thing, path=review.path), review, before=thing)
    return new, missing


def _young(draft: Draft, live: dict[str, Thing]) -> dict[str, Card]:
    """Reviews that came within the grace time and that nobody outside was told about yet."""
    return {
        thing.uid: draft.library.cards[thing.path]
        for thing in live.values()
        if _is_recent(draft, thing)
        and thing.path in draft.library.cards
        and thing.uid not in draft.stored.told
    }


def _is_recent(draft: Draft, thing: Thing) -> bool:
    return thing.first_seen is not None and thing.first_seen > draft.now - draft.rules.grace


def _joined(draft: Draft, thing: Thing, candidates: Iterable[Card]) -> Card | None:
    """A person said so with `join`."""
    return next((r for r in candidates if draft.stored.joins.get(r.path) == thing.path), None)


def _same_file(thing: Thing, candidates: Iterable[Card]) -> Card | None:
    """Equal `slug:` or equal text."""
    for review in candidates:
        if review.explicit_slug and review.slug == thing.slug:
            return review
        if thing.body_hash and review.body_hash == thing.body_hash:
            return review
    return None


def _only_twin(draft: Draft, thing: Thing, missing: list[Thing], candidates: list[Card]) -> Card | None:
    """Exactly one missing and one new review of the same title and writers."""
    mark = (thing.title, thing.author_uids)
    twins = [r for r in candidates if (r.title, _author_uids(draft, r)) == mark]
    alike = [other for other in missing if (other.title, other.author_uids) == mark]
    return twins[0] if len(twins) == 1 and len(alike) == 1 else None


# ---- reviews that are known


def _existing(draft: Draft, thing: Thing, review: Card, before: Thing | None = None) -> None:
    """A known review whose file is there (perhaps under a new path)."""
    stored = before or thing
    if _refuse_dates(draft, thing, review):
        kept = replace(thing, missing_since=None, removal_confirmed=False)
        _keep(draft, kept, stored)
        return
    changed = review.words_hash != thing.edition_hash
    after = replace(
        thing,
        missing_since=None,
        removal_confirmed=False,
        title=review.title,
        body_hash=review.body_hash,
        edition_hash=review.words_hash,
        author_uids=thing.author_uids if review.byline_implied else _author_uids(draft, review),
        drama_uid=draft.drama_uids.get(review.drama or ""),
        slug=_slug(draft, thing, review),
    )
    after, kind = _standing(draft, after, review, stored)
    after = _wishes(draft, after, review)
    kind = kind or _kind_of(after, stored, changed)
    if kind is not None:
        draft.add(kind, after, stored, review if changed else None)


def _keep(draft: Draft, after: Thing, stored: Thing) -> None:
    if after != stored:
        kind = ChangeKind.RENAME if after.path != stored.path else ChangeKind.RETURN
        draft.add(kind, after, stored)


def _kind_of(after: Thing, stored: Thing, changed: bool) -> ChangeKind | None:
    if after.path != stored.path:
        return ChangeKind.RENAME
    if changed:
        return ChangeKind.EDIT
    if stored.missing_since is not None:
        return ChangeKind.RETURN
    if after.federated is not stored.federated:
        return ChangeKind.TELL if after.federated is Federated.TOLD else ChangeKind.HUSH
    return ChangeKind.NOTE if after != stored else None


def _standing(draft: Draft, after: Thing, review: Card, stored: Thing) -> tuple[Thing, ChangeKind | None]:
    """What `draft:` does to a review that was public."""
    if review.draft and after.state is State.PUBLIC:
        draft.at(draft.now + draft.rules.grace)
        return replace(after, state=State.HIDDEN, hidden_since=draft.now), ChangeKind.HIDE
    if review.draft and after.hidden_since is not None:
        over = after.hidden_since + draft.rules.grace
        if draft.now >= over:
            return withdrawn(after, told=stored.uid in draft.stored.told), ChangeKind.WITHDRAW
        draft.at(over)
    if not review.draft and after.state is State.HIDDEN:
        return replace(after, state=State.PUBLIC, hidden_since=None), ChangeKind.SHOW
    return after, None


def withdrawn(thing: Thing, *, told: bool) -> Thing:
    """A thing after its withdrawal; once others were told, its uid is spent."""
    return replace(thing, state=State.WITHDRAWN, deleted=thing.deleted or told, hidden_since=None)


def _wishes(draft: Draft, after: Thing, review: Card) -> Thing:
    """What `federate:` says now; a review that went out keeps how it went out."""
    if after.uid in draft.stored.told:
        if review.federate is Federate.NO and after.federated is Federated.TOLD:
            message = "`federate: no` comes after the review was sent: only further sends stop"
            fix = "Use `dramafeed withdraw` to take it back from other servers."
            draft.problem(review.path, message, fix, warning=True, name="federate")
        return after
    after = replace(after, unlisted=review.federate is Federate.UNLISTED)
    wanted = review.federate is Federate.NOW or draft.rules.federate_old
    if review.federate is Federate.NO:
        return replace(after, federated=Federated.QUIET)
    if wanted and draft.rules.gate and after.state is State.PUBLIC:
        return replace(after, federated=Federated.TOLD)
    return after


def _refuse_dates(draft: Draft, thing: Thing, review: Card) -> bool:
    """The instant of publication is frozen: a future date is a problem, another past one a warning."""
    if thing.published is None or review.published is None or thing.edition is None:
        return False
    if review.published > draft.now and not _is_today(draft, review):
        message = "`published` lies in the future, but the review is public already"
        before = f"{_local(draft, thing.published):%Y-%m-%d %H:%M}"
        fix = f"Write `published: {before}`, or `draft: true` to hide it."
        draft.problems.append(Problem(review.path, message, fix, severity=Severity.ERROR, field="published"))
        return True
    same_day = _local(draft, review.published).date() == _local(draft, thing.published).date()
    near = abs(review.published - thing.published) < timedelta(minutes=1)
    if thing.dated and not near and not (review.date_only and same_day):
        message = "the date of a published review cannot change"
        fix = f"It stays {_local(draft, thing.published):%Y-%m-%d %H:%M}; `updated:` can say more."
        draft.problem(review.path, message, fix, warning=True, name="published")
    return False


# ---- reviews whose file is missing


def _missing(draft: Draft, missing: list[Thing]) -> None:
    parked = []
    for thing in missing:
        after = thing
        if thing.missing_since is None:
            after = replace(thing, missing_since=draft.now)
        if draft.rules.allow_mass_delete:
            after = replace(after, removal_confirmed=True)
        parked.append((thing, after))
    draft.missing = len(missing)
    draft.removals_held = guards.removals_held(draft, [after for _before, after in parked])
    for before, after in parked:
        over = (after.missing_since or draft.now) + draft.rules.grace
        held = bool(draft.removals_held) and not after.removal_confirmed
        if draft.now >= over and not held:
            gone = withdrawn(after, told=after.uid in draft.stored.told)
            draft.add(ChangeKind.WITHDRAW, gone, before)
            continue
        if draft.now < over:
            draft.at(over)
        if after != before:
            draft.add(ChangeKind.PARK, after, before)


def _forget_final(draft: Draft) -> None:
    """A file that was withdrawn by hand and then removed may come back as a new review."""
    for thing in draft.stored.reviews.final.values():
        if thing.path not in draft.library.cards and thing.path not in draft.library.broken:
            draft.amend(ChangeKind.NOTE, thing, final=False)


# ---- reviews that are new


def _new(draft: Draft, new: list[Card]) -> None:
    ready = [review for review in new if _is_ready(draft, review)]
    unknown = [review for review in ready if _revivable(draft, review) is None]
    times = guards.archive_times(draft, unknown) if draft.stored.first_pass else {}
    arrived = [r for r in ready if not ((known := _revivable(draft, r)) and _from_ledger(known))]
    crowd, earlier = guards.undated_crowd(draft, arrived)
    for review in ready:
        _publish(draft, review, times.get(review.path, draft.now), crowd)
    if crowd > draft.rules.undated_limit and any(r.published is None for r in ready):
        _hush_earlier(draft, earlier)


def _hush_earlier(draft: Draft, earlier: list[Thing]) -> None:
    for thing in earlier:
        review = draft.library.cards.get(thing.path)
        wanted = review is not None and review.federate is Federate.NOW
        if thing.uid in draft.stored.unsent and not wanted:
            draft.amend(ChangeKind.HUSH, thing, federated=Federated.QUIET)


def _is_ready(draft: Draft, review: Card) -> bool:
    """Whether a new file may become public now: not a draft, not scheduled, not a copy that waits."""
    if review.draft:
        return False
    if review.published and review.published > draft.now and not _is_today(draft, review):
        draft.at(review.published)
        return False
    if any(thing.final for thing in draft.past(review.path)):
        message = "was withdrawn by hand and stays withdrawn"
        draft.problem(review.path, message, "Remove the file, or give it a new name.", warning=True)
        return False
    return not _waits_as_copy(draft, review)


def _waits_as_copy(draft: Draft, review: Card) -> bool:
    """A file that repeats an existing review is probably being renamed: wait for the old one to go."""
    twin = None if draft.stored.first_pass else draft.twin(review.body_hash)
    if twin is None or twin.path not in draft.library.cards:
        draft.copies.pop(review.path, None)
        return False
    since = draft.copies.setdefault(review.path, draft.now)
    over = since + draft.rules.grace
    if draft.now >= over:
        draft.copies.pop(review.path, None)
        return False
    draft.at(over)
    message = f"has the same text as {twin.path} and waits in case that file is being renamed"
    draft.problem(review.path, message, "It is published on its own after the grace time.", warning=True)
    return True


def _publish(draft: Draft, review: Card, moment: datetime, crowd: int) -> None:
    revived = _revivable(draft, review)
    base = revived or _fresh(draft, review)
    slug = _slug(draft, base, review)
    if not slug:
        return
    published = base.published or _instant(draft, review, moment)
    draft.instants.add(published)
    authors = base.author_uids if revived and review.byline_implied else _author_uids(draft, review)
    thing = replace(
        base,
        slug=slug,
        state=State.PUBLIC,
        title=review.title,
        body_hash=review.body_hash,
        edition_hash=review.words_hash,
        published=published,
        dated=review.published is not None,
        first_seen=base.first_seen or draft.now,
        missing_since=None,
        removal_confirmed=False,
        author_uids=authors,
        attributed_to=base.attributed_to or _actor(draft, authors),
        drama_uid=draft.drama_uids.get(review.drama or ""),
        federated=_word(draft, base, revived, review, published, crowd),
        unlisted=base.unlisted if revived else review.federate is Federate.UNLISTED,
    )
    draft.copies.pop(review.path, None)
    draft.held[slug] = thing
    draft.uids.add(thing.uid)
    draft.add(ChangeKind.PUBLISH, thing, revived, review)


def _revivable(draft: Draft, review: Card) -> Thing | None:
    """The review that was at this path before, if nobody was ever told that it is gone."""
    past = draft.past(review.path)
    return next((t for t in past if t.state is State.WITHDRAWN and not t.deleted and not t.final), None)


def _word(
    draft: Draft, base: Thing, revived: Thing | None, review: Card, published: datetime, crowd: int
) -> Federated:
    if revived and _from_ledger(revived):
        return base.federated  # the database was lost: followers were told, or not, long ago
    return guards.first_word(draft, review, published, crowd)


def _from_ledger(thing: Thing) -> bool:
    """True for a review that the database knows from the ledger alone."""
    return thing.edition is None


def _fresh(draft: Draft, review: Card) -> Thing:
    """A thing that never was: its uid comes from the path and the first free generation."""
    spent = [thing.generation for thing in draft.past(review.path)]
    generation = max(spent, default=-1) + 1
    known = draft.stored.reviews.by_uid
    while (uid := uid_of(draft.site_id, f"{review.path}#{generation}")) in draft.uids or uid in known:
        generation += 1
    return Thing(uid=uid, kind=ThingKind.REVIEW, path=review.path, slug="", generation=generation)


def _instant(draft: Draft, review: Card, moment: datetime) -> datetime:
    """The instant of publication; equal ones are spaced by a second, in path order."""
    given = draft.now if _is_today(draft, review) else review.published or moment
    instant = given.replace(microsecond=0)
    used = draft.stored.reviews.instants
    while instant in draft.instants or used.get(instant):
        instant += _SECOND
    return instant


def _slug(draft: Draft, thing: Thing, review: Card) -> str:
    """The slug it gets. A live review keeps its slug against a newcomer."""
    if review.slug == thing.slug:
        return thing.slug
    holder = draft.holder(review.slug)
    if holder is None or holder.uid == thing.uid:
        before = draft.holder(thing.slug)
        if before is not None and before.uid == thing.uid:
            draft.held[thing.slug] = None
        draft.held[review.slug] = thing
        return review.slug
    message = f"the address /reviews/{review.slug}/ belongs to {holder.path}"
    fix = "Give this file another name, or a line `slug:` of its own."
    draft.problem(review.path, message, fix, name="slug")
    return thing.slug


def _author_uids(draft: Draft, review: Card) -> tuple[str, ...]:
    found = (draft.author_uids.get(slug) for slug in review.authors)
    return tuple(dict.fromkeys(uid for uid in found if uid))


def _actor(draft: Draft, author_uids: tuple[str, ...]) -> str:
    """The handle that Creates the review: its first writer's, or the blog's."""
    handle = draft.author_handles.get(author_uids[0]) if author_uids else None
    return handle or draft.site_handle


def _zone(draft: Draft) -> ZoneInfo:
    return ZoneInfo(draft.library.site.timezone if draft.library.site else "UTC")


def _local(draft: Draft, moment: datetime) -> datetime:
    return moment.astimezone(_zone(draft))


def _is_today(draft: Draft, review: Card) -> bool:
    """A date alone that is today's: it means the moment it was seen."""
    if not review.date_only or review.published is None:
        return False
    return _local(draft, review.published).date() == _local(draft, draft.now).date()
