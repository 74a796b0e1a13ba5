"""Gateway to what the publisher remembers of content files between two processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, delete, select

from dramafeed.storage import schema
from dramafeed.storage.upsert import upsert_all


class Files:
    """Records of content files, by path. Losing them costs time and nothing else."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def all(self) -> Iterator[tuple[str, str]]:
        """(path, record) of every file, by path; a few at a time, because there may be very many."""
        query = select(schema.files).order_by(schema.files.c.path).execution_options(yield_per=500)
        return ((row.path, row.record) for row in self._db.execute(query))

    def put(self, records: Mapping[str, str | None]) -> None:
        """Write records; None takes one out."""
        table = schema.files
        gone = [path for path, record in records.items() if record is None]
        for start in range(0, len(gone), 500):
            self._db.execute(delete(table).where(table.c.path.in_(gone[start : start + 500])))
        rows = [{"path": path, "record": record} for path, record in records.items() if record is not None]
        upsert_all(self._db, table, "path", rows)
