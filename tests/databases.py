"""Which database the tests run on: SQLite files, or fresh databases of a PostgreSQL server.

`TEST_CLUSTER` is the socket folder of a throwaway PostgreSQL (`tests/peers/test_postgres.py` and
`tests/peers/on_postgres.py` set it and run these same tests again).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

CLUSTER = os.environ.get("TEST_CLUSTER", "")
_known: set[str] = set()


def url_of(folder: Path) -> str:
    """The database of a site, made when it is new; every process finds the same one."""
    if not CLUSTER:
        return f"sqlite:///{folder}/var/dramafeed.sqlite3"
    name = _name_of(folder)
    if name not in _known:
        if not _run("SELECT 1 FROM pg_database WHERE datname = %s", name):
            _run(f"CREATE DATABASE {name} TEMPLATE template0")
        _known.add(name)
    return f"postgresql+psycopg://dramafeed@/{name}?host={CLUSTER}"


def setting_of(folder: Path) -> dict[str, str]:
    """The setting that puts a site there; nothing where its own default is meant."""
    return {"DATABASE_URL": url_of(folder)} if CLUSTER else {}


def lose(folder: Path) -> None:
    """The database is gone; the next look finds an empty one."""
    if CLUSTER:
        name = _name_of(folder)
        _known.discard(name)
        _run(f"DROP DATABASE {name} WITH (FORCE)")
        return
    for file in (folder / "var").glob("dramafeed.sqlite3*"):
        file.unlink()


def _name_of(folder: Path) -> str:
    return f"test_{hashlib.sha256(str(folder).encode()).hexdigest()[:24]}"


def _run(statement: str, *values: str) -> int:
    """Carry out a statement on the server; how many rows it found or changed."""
    import psycopg  # only where PostgreSQL is installed for the tests

    with psycopg.connect(host=CLUSTER, user="dramafeed", dbname="postgres", autocommit=True) as connection:
        return connection.execute(statement, values or None).rowcount  # type: ignore[arg-type]
