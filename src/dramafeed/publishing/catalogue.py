"""The rules for everything but reviews: the site, authors, dramas and plain pages. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dramafeed.content import fold_to_ascii
from dramafeed.model import Author, Card, Drama, Page, Site, State, Thing, ThingKind
from dramafeed.publishing.plan import ChangeKind, Draft, Words, is_live, uid_of
from dramafeed.storage import codec

_HANDLE = re.compile(r"[a-z0-9_]{1,30}")
RESERVED_HANDLES = frozenset({"instance", "actor"})
# First segments of the addresses in the contract: a plain page may not take one.
_RESERVED = """
    reviews authors dramas people tags kinds archive search subscribe media ap api desk preview hooks
    nodeinfo healthz readyz metrics static page
"""
RESERVED_PAGES = frozenset(_RESERVED.split())


def diff_site(draft: Draft) -> None:
    """The site's own edition; its handle is frozen at the first pass."""
    stored, words = draft.stored.site, draft.library.site
    if stored is not None and _is_gone(draft):
        message = "is gone; the site keeps the title, handle and settings it had"
        draft.problem("site.yaml", message, "Put the file back, or write a new one.", warning=True)
        words = None
    if words is None:  # missing or broken: the last good edition stays
        if stored is None:
            words = Site()
        else:
            draft.site_handle = stored.handle or draft.site_handle
            return
    before = stored or Thing(uid=draft.site_id, kind=ThingKind.SITE, path="site.yaml", slug="")
    handle = before.handle or words.handle
    if handle != words.handle:
        message = f"the blog's handle is {handle} for good: people follow it under that name"
        draft.problem("site.yaml", message, f"Write `handle: {handle}`.", warning=True, name="handle")
    draft.site_handle = handle
    after = replace(before, handle=handle, title=words.title, first_seen=before.first_seen or draft.now)
    _put(draft, after, stored, words)


def _is_gone(draft: Draft) -> bool:
    """True when there was a site.yaml and now there is none."""
    return draft.stored.site_file and "site.yaml" not in draft.library.facts


def _put(draft: Draft, after: Thing, stored: Thing | None, words: Words) -> None:
    """Plan a new edition, a mere note, or nothing."""
    text = codec.encode(words)
    after = replace(after, edition_hash=codec.digest(text))
    if stored is None or not is_live(stored):
        draft.add(ChangeKind.PUBLISH, after, stored, words, text)
    elif stored.edition_hash != after.edition_hash:
        draft.add(ChangeKind.EDIT, after, stored, words, text)
    elif after != stored:
        draft.add(ChangeKind.NOTE, after, stored)


def _is_settled(draft: Draft, stored: Thing | None, words: Words) -> bool:
    """True when these very words were found to be the stored edition's already."""
    return stored is not None and draft.stored.settled_words.get(stored.uid) is words


# ---- authors


def diff_authors(draft: Draft) -> None:
    """Authors from files, and those that plain-text reviews imply."""
    known = {thing.uid: thing for thing in draft.stored.authors}
    handles = {thing.handle: thing.uid for thing in draft.stored.authors if thing.handle}
    named = _named_by_reviews(draft) if any(a.implied for a in draft.library.authors.values()) else set()
    for slug, author in sorted(draft.library.authors.items(), key=lambda item: (item[1].implied, item[0])):
        uid = _author_uid(draft, author, known)
        stored = known.get(uid)
        draft.author_uids[slug] = uid
        if author.implied and slug not in named and stored is None:
            draft.author_handles[uid] = None
            continue
        handle = _handle(draft, author, uid, stored, handles)
        if handle:
            handles[handle] = uid
        elif author.handle and not author.guest:
            continue  # an explicit handle that cannot be had: the problem says so
        draft.author_handles[uid] = None if author.guest else handle
        before = stored or Thing(uid=uid, kind=ThingKind.AUTHOR, path="", slug=slug)
        after = replace(
            before,
            path=author.path or before.path,
            slug=slug,
            state=State.PUBLIC,
            handle=before.handle or handle,
            title=author.name,
            first_seen=before.first_seen or draft.now,
        )
        _put(draft, after, stored, author)
    _keep_absent_authors(draft, known)


def _named_by_reviews(draft: Draft) -> set[str]:
    """Slugs of the authors of reviews that are public or about to be."""
    return {slug for review in _ready(draft) for slug in review.authors}


def _ready(draft: Draft) -> Iterable[Card]:
    return (r for r in draft.library.cards.values() if not r.draft and not _is_future(draft, r))


def _is_future(draft: Draft, review: Card) -> bool:
    return review.published is not None and review.published > draft.now and not review.date_only


def _author_uid(draft: Draft, author: Author, known: dict[str, Thing]) -> str:
    """The uid of an author: by slug (old ones are aliases), by handle, by name, else a new one."""
    if author.slug in draft.stored.author_slugs:
        return draft.stored.author_slugs[author.slug]
    taken = set(draft.author_uids.values())
    for thing in known.values():
        if thing.uid in taken:
            continue
        if author.handle and thing.handle == author.handle:
            return thing.uid
        gone = not thing.path or thing.slug not in draft.library.authors
        if gone and thing.title.casefold() == author.name.casefold():
            return thing.uid
    return uid_of(draft.site_id, f"author:{author.slug}")


def _handle(
    draft: Draft, author: Author, uid: str, stored: Thing | None, taken: dict[str, str]
) -> str | None:
    """The actor's handle: frozen once given; explicit, or folded from the name."""
    if stored is not None and stored.handle:
        if author.handle and author.handle != stored.handle:
            message = f"the handle of {author.name} is {stored.handle} for good: people follow it"
            fix = f"Write `handle: {stored.handle}`."
            draft.problem(author.path, message, fix, warning=True, name="handle")
        return stored.handle
    if author.guest:
        return None
    reserved = RESERVED_HANDLES | {draft.site_handle}
    if author.handle:
        if author.handle in reserved or taken.get(author.handle, uid) != uid:
            message = f"the handle {author.handle} is taken"
            draft.problem(author.path, message, "Choose another `handle:`.", name="handle")
            return None
        return author.handle
    handle = implied_handle(author.name, uid)
    if handle in reserved or taken.get(handle, uid) != uid:
        handle = f"{handle[:25]}_{uid[:4]}"
    return handle


def implied_handle(name: str, uid: str) -> str:
    """The name in ASCII with `_` if every letter survives and it is short enough, else `author_` + uid."""
    folded = fold_to_ascii(name)
    handle = re.sub(r"[^a-z0-9]+", "_", folded.lower()).strip("_") if folded else ""
    return handle if _HANDLE.fullmatch(handle) else f"author_{uid[:6]}"


def _keep_absent_authors(draft: Draft, known: dict[str, Thing]) -> None:
    """An author whose file is gone stays: people follow them."""
    present = set(draft.author_uids.values())
    for uid, thing in known.items():
        if not is_live(thing):
            continue
        draft.author_uids.setdefault(thing.slug, uid)
        draft.author_handles.setdefault(uid, thing.handle)
        if uid not in present and thing.path and thing.path not in draft.library.broken:
            message = f"{thing.title}'s file is gone; the profile and its followers stay"
            fix = "Put the file back, with `status: alumni` if they have left."
            draft.problem(thing.path, message, fix, warning=True)


# ---- dramas


def diff_dramas(draft: Draft) -> None:
    """Dramas from files, and those written inline in reviews."""
    known = {thing.uid: thing for thing in draft.stored.dramas}
    implied = any(drama.implied for drama in draft.library.dramas.values())
    named = {review.drama for review in _ready(draft)} if implied else set()
    for slug, drama in sorted(draft.library.dramas.items()):
        uid = _drama_uid(draft, drama, known)
        stored = known.get(uid)
        draft.drama_uids[slug] = uid
        if _is_settled(draft, stored, drama):
            continue
        if drama.implied and slug not in named and stored is None:
            continue
        before = stored or Thing(uid=uid, kind=ThingKind.DRAMA, path="", slug=slug)
        after = replace(
            before,
            path=drama.path or before.path,
            slug=slug,
            state=State.PUBLIC,
            title=drama.title,
            first_seen=before.first_seen or draft.now,
        )
        _put(draft, after, stored, drama)
    for uid, thing in known.items():
        if is_live(thing):
            draft.drama_uids.setdefault(thing.slug, uid)


def _drama_uid(draft: Draft, drama: Drama, known: dict[str, Thing]) -> str:
    if drama.slug in draft.stored.drama_slugs:
        return draft.stored.drama_slugs[drama.slug]
    for thing in known.values():
        if thing.slug not in draft.library.dramas and thing.title.casefold() == drama.title.casefold():
            return thing.uid
    return uid_of(draft.site_id, f"drama:{drama.slug}")


# ---- what nobody refers to any more


def drop_unused(draft: Draft) -> None:
    """Dramas without file and reviews go; so does an implied author nobody was ever told about."""
    here = {draft.drama_uids[slug] for slug in draft.library.dramas}
    present = {draft.author_uids[author.slug] for author in draft.library.authors.values()}
    dramas = [
        thing
        for thing in draft.stored.dramas
        if is_live(thing)
        and thing.uid not in here
        and not (thing.path and thing.path in draft.library.broken)
    ]
    authors = [
        thing
        for thing in draft.stored.authors
        if is_live(thing)
        and not thing.path
        and thing.uid not in present
        and thing.handle not in draft.stored.followed
    ]
    if not dramas and not authors:
        return
    after = _reviews_after(draft)
    live = [thing for thing in after if is_live(thing)]
    shown = {thing.drama_uid for thing in live}
    for thing in dramas:
        if thing.uid not in shown:
            draft.add(ChangeKind.WITHDRAW, replace(thing, state=State.WITHDRAWN), thing)
    writers = {uid for thing in live for uid in thing.author_uids}
    told = {u for t in after if t.deleted or t.uid in draft.stored.told for u in t.author_uids}
    for thing in authors:
        if thing.uid not in writers | told:
            draft.add(ChangeKind.DISCARD, thing, thing)


def _reviews_after(draft: Draft) -> list[Thing]:
    """The reviews as they will be when the plan is carried out; discarded ones count as withdrawn."""
    after = dict(draft.stored.reviews.by_uid)
    for change in draft.changes:
        if change.thing.kind is ThingKind.REVIEW:
            gone = change.kind is ChangeKind.DISCARD
            after[change.thing.uid] = replace(change.thing, state=State.WITHDRAWN) if gone else change.thing
    return list(after.values())


# ---- plain pages


def diff_pages(draft: Draft) -> None:
    """Plain pages appear, change and go with their files."""
    known = {thing.path: thing for thing in draft.stored.pages}
    present = {page.path: page for page in draft.library.pages.values()}
    for path, page in sorted(present.items()):
        if page.slug in RESERVED_PAGES:
            message = f"the address /{page.slug}/ belongs to the site itself"
            draft.problem(path, message, "Give the file another name.", name="slug")
            continue
        _put_page(draft, known.get(path), page)
    if not draft.removals_held:
        for thing in _absent(known.values(), present.keys() | draft.library.broken):
            draft.add(ChangeKind.WITHDRAW, replace(thing, state=State.WITHDRAWN), thing)


def _put_page(draft: Draft, stored: Thing | None, page: Page) -> None:
    uid = uid_of(draft.site_id, f"page:{page.path}")
    before = stored or Thing(uid=uid, kind=ThingKind.PAGE, path=page.path, slug=page.slug)
    after = replace(
        before,
        slug=page.slug,
        state=State.PUBLIC,
        title=page.title,
        first_seen=before.first_seen or draft.now,
    )
    _put(draft, after, stored, page)


def _absent(things: Iterable[Thing], here: Iterable[str]) -> Sequence[Thing]:
    paths = set(here)
    return [thing for thing in things if is_live(thing) and thing.path not in paths]
