"""The whole schema as one text, for SQLite and PostgreSQL alike.

Instants are microseconds since 1970 in UTC (`Instant`). A row in `jobs` is a decision that is owed (tell
the followers of X about Y); a row in `deliveries` is one HTTP request that is owed. Both are written in
the transaction of their cause and stay until they are settled, so a process may die at any line.
Change a table here together with a migration in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

VERSION = "0001"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware datetime in UTC, stored as microseconds since 1970: sorts alike on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002 - its form
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - its form
        return None if value is None else _EPOCH + timedelta(microseconds=int(value))


# SQLite counts up by itself only for INTEGER; PostgreSQL wants room beyond 2**31.
Serial = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()


def _table(name: str, *items: Any) -> Table:
    return Table(f"dramafeed_{name}", metadata, *items)


version = _table("version", Column("version_num", String(32), primary_key=True))

# key-value facts about the installation: site_id, seq, base_url, first_follower ...
meta = _table("meta", Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))

# one holder per role (publisher, worker, migrate); `until` passes when the holder dies
leases = _table(
    "leases",
    Column("role", String(64), primary_key=True),
    Column("holder", String(128), nullable=False),
    Column("until", Instant, nullable=False),
)

# ---- what is published

things = _table(
    "things",
    Column("uid", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("edition", BigInteger),
    Column("edition_hash", String(64), nullable=False),
    Column("body_hash", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("handle", String(64), unique=True),
    Column("published", Instant),
    Column("attributed_to", String(64)),
    Column("revised_at", Instant),
    Column("federated", String(16), nullable=False),
    Column("unlisted", Boolean, nullable=False),
    Column("form", String(16), nullable=False),
    Column("dated", Boolean, nullable=False),
    Column("first_seen", Instant),
    Column("missing_since", Instant),
    Column("hidden_since", Instant),
    Column("removal_confirmed", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("drama_uid", String(36)),
    Column("changed", BigInteger, nullable=False),  # number of the transaction that wrote it last
    Index("dramafeed_things_changed", "changed"),
    Index("dramafeed_things_listed", "kind", "state", "published", "uid"),
    Index("dramafeed_things_path", "kind", "path"),
    Index("dramafeed_things_drama", "drama_uid", "kind", "state", "published", "uid"),
    Index("dramafeed_things_actor", "attributed_to", "kind", "state", "published", "uid"),
)

# things that were taken out entirely: whoever keeps things in memory drops them
removed_things = _table(
    "removed_things",
    Column("uid", String(36), primary_key=True),
    Column("changed", BigInteger, nullable=False),
    Index("dramafeed_removed_things_changed", "changed"),
)

# `published` repeats the instant of a review while it is public, so that the newest of a writer's are found
# without looking at the others; null hides it
bylines = _table(
    "bylines",
    Column("review_uid", ForeignKey(things.c.uid), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("author_uid", String(36), nullable=False),
    Column("published", Instant),
    Index("dramafeed_bylines_author", "author_uid", "published", "review_uid"),
)

# what the public saw; rows are never changed
editions = _table(
    "editions",
    Column("id", Serial, primary_key=True),
    Column("uid", ForeignKey(things.c.uid), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("fields", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("dramafeed_editions_uid", "uid"),
)

# every slug ever held, by its present or last holder: the current one answers, the others redirect
slugs = _table(
    "slugs",
    Column("kind", String(16), primary_key=True),
    Column("slug", Text, primary_key=True),
    Column("uid", ForeignKey(things.c.uid), nullable=False),
    Index("dramafeed_slugs_uid", "uid"),
)

# which reviews link to which content path in their text: they change when that review's address does
review_links = _table(
    "review_links",
    Column("review_uid", ForeignKey(things.c.uid), primary_key=True),
    Column("target_path", Text, primary_key=True),
    Index("dramafeed_review_links_target", "target_path"),
)

# tags and kinds of the reviews, by slug, each with the name as written; `published` as in bylines
labels = _table(
    "labels",
    Column("review_uid", ForeignKey(things.c.uid), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("slug", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("published", Instant),
    Index("dramafeed_labels_slug", "kind", "slug", "published", "review_uid"),
)

# paths of an older site (`redirect_from`)
redirects = _table(
    "redirects",
    Column("path", Text, primary_key=True),
    Column("uid", ForeignKey(things.c.uid), nullable=False),
)

# the identity ledger's rows; `written` once they stand in the file
identity_events = _table(
    "identity_events",
    Column("number", Serial, primary_key=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("uid", String(36), nullable=False),
    Column("line", Text, nullable=False),
    Column("written", Boolean, nullable=False),
    Index("dramafeed_identity_unwritten", "written"),
)

# what the publisher found out about each content file, so that its next start reads only what changed
files = _table(
    "files",
    Column("path", Text, primary_key=True),
    Column("record", Text, nullable=False),
)

# when each document last changed; every process renders a document once per `seq`
documents = _table(
    "documents",
    Column("key", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("committed_at", Instant, nullable=False),
    Index("dramafeed_documents_seq", "seq"),
)

# ---- actors

keys = _table(
    "keys",
    Column("handle", String(64), primary_key=True),
    Column("private_pem", Text, nullable=False),
    Column("public_pem", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

remote_actors = _table(
    "remote_actors",
    Column("uri", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("inbox", Text, nullable=False),
    Column("shared_inbox", Text),
    Column("key_id", Text, nullable=False, unique=True),
    Column("public_pem", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("handle", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("icon", Text, nullable=False),
    Column("fetched_at", Instant, nullable=False),
    Column("refreshed_at", Instant, nullable=False),
)

# ---- audience

inboxes = _table(
    "inboxes",
    Column("id", Serial, primary_key=True),
    Column("url", Text, nullable=False, unique=True),
    Column("host", Text, nullable=False),
)

followers = _table(
    "followers",
    Column("handle", String(64), primary_key=True),
    Column("actor", Text, primary_key=True),
    Column("inbox_id", ForeignKey(inboxes.c.id), nullable=False),
    Column("personal_inbox", Text, nullable=False),
    Column("follow_id", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Index("dramafeed_followers_actor", "actor"),
)

# Undo that came before its Follow: remembered so that the Follow has no effect
undone = _table(
    "undone",
    Column("actor", Text, primary_key=True),
    Column("activity_id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
)

# every inbox that was ever sent a Create or Announce of a thing: it gets the Update and the Delete
audience = _table(
    "audience",
    Column("uid", String(36), primary_key=True),
    Column("inbox_id", ForeignKey(inboxes.c.id), primary_key=True),
    Column("announced", Boolean, nullable=False),
)

# ---- what is owed

jobs = _table(
    "jobs",
    Column("id", Serial, primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("subject", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Index("dramafeed_jobs_due", "state", "due_at"),
    Index("dramafeed_jobs_subject", "subject", "state"),
)

activities = _table(
    "activities",
    Column("id", String(36), primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("uid", String(96), nullable=False),
    Column("handle", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("dramafeed_activities_uid", "uid", "created_at"),
)

deliveries = _table(
    "deliveries",
    Column("id", Serial, primary_key=True),
    Column("activity_id", ForeignKey(activities.c.id), nullable=False),
    Column("inbox_id", ForeignKey(inboxes.c.id), nullable=False),
    Column("uid", String(96), nullable=False),
    Column("needs_public", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("last_status", Integer),
    Column("last_error", Text, nullable=False),
    UniqueConstraint("activity_id", "inbox_id"),
    Index("dramafeed_deliveries_due", "state", "due_at", "id"),
    Index("dramafeed_deliveries_order", "inbox_id", "uid", "state"),
    Index("dramafeed_deliveries_uid", "uid", "state"),
)

# which signature form a host understood last, and until when it counts as slow
hosts = _table(
    "hosts",
    Column("host", Text, primary_key=True),
    Column("dialect", String(16), nullable=False),
    Column("slow_until", Instant),
)

# ---- what came in

received = _table(
    "received",
    Column("id", Serial, primary_key=True),
    Column("actor", Text, nullable=False),
    Column("activity_id", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("actor", "activity_id"),
    Index("dramafeed_received_due", "state", "due_at"),
    Index("dramafeed_received_host", "state", "host"),
)

# a host that keys are fetched from: closed while a fetch is under way or too many were made lately
fetch_hosts = _table(
    "fetch_hosts",
    Column("host", Text, primary_key=True),
    Column("closed_until", Instant, nullable=False),
    Column("recent", Text, nullable=False),  # JSON: Unix times of the fetches of the last minute
    Index("dramafeed_fetch_hosts_until", "closed_until"),
)

# keys that could not be fetched; `final` ones are not asked for again before `until`
failed_keys = _table(
    "failed_keys",
    Column("key_id", Text, primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("until", Instant, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Index("dramafeed_failed_keys_until", "until"),
)
