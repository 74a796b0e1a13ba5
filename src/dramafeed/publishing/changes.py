"""What has to change so that the outside equals the content folder: a pure function.

`diff` compares what the database holds with what the folder says and returns a `Plan`. No I/O, no clock, no
random value: the same arguments always give the same plan, and a plan that was carried out leaves nothing
to do. The rules for reviews are in `reviews`, for everything else in `catalogue`, the guards that protect
writers and followers from accidents in `guards`.
"""

from __future__ import annotations

from datetime import datetime

from dramafeed.model import Library
from dramafeed.publishing import catalogue, reviews
from dramafeed.publishing.plan import Draft, Plan, Rules, Stored


def diff(stored: Stored, library: Library, now: datetime, rules: Rules, site_id: str) -> Plan:
    """The plan that makes the outside equal to the folder.

    Args:
        stored: what the database holds.
        library: the content folder; when it is not `complete`, nothing changes.
        now: the present, aware.
        rules: settings and what a person has confirmed.
        site_id: the namespace of every uid.
    """
    draft = Draft(stored, library, now, rules, site_id, copies=dict(stored.copies))
    if not library.complete:
        where = "The content folder cannot be read completely, so nothing was changed"
        draft.problem(".", where, "Mount it again, or mend its permissions.")
        return _finished(draft)
    catalogue.diff_site(draft)
    catalogue.diff_authors(draft)
    catalogue.diff_dramas(draft)
    reviews.diff_reviews(draft)
    catalogue.drop_unused(draft)
    catalogue.diff_pages(draft)
    return _finished(draft)


def _finished(draft: Draft) -> Plan:
    return Plan(
        changes=tuple(draft.changes),
        problems=tuple(draft.problems),
        copies=draft.copies,
        removals_held=draft.removals_held,
        look_again=draft.look_again,
        missing=draft.missing,
    )
