"""Which database the tests run on: SQLite files, or fresh databases of a PostgreSQL server.

`DRAMAFEED_TEST_CLUSTER` is the socket folder of a throwaway PostgreSQL (`tests/peers/test_postgres.py`
sets it and runs these same tests again).
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

CLUSTER = os.environ.get("DRAMAFEED_TEST_CLUSTER", "")
_numbers = itertools.count()
_known: dict[Path, str] = {}


def url_of(folder: Path) -> str:
    """The database of a site, made when it is new."""
    if not CLUSTER:
        return f"sqlite:///{folder}/var/dramafeed.sqlite3"
    if folder not in _known:
        name = f"test_{os.getpid()}_{next(_numbers)}"
        _run(f'CREATE DATABASE "{name}" TEMPLATE template0')
        _known[folder] = f"postgresql+psycopg://dramafeed@/{name}?host={CLUSTER}"
    return _known[folder]


def lose(folder: Path) -> None:
    """The database is gone; the next look finds an empty one."""
    if CLUSTER:
        name = _known.pop(folder).split("?")[0].rsplit("/", 1)[1]
        _run(f'DROP DATABASE "{name}" WITH (FORCE)')
        return
    for file in (folder / "var").glob("dramafeed.sqlite3*"):
        file.unlink()


def _run(statement: str) -> None:
    import psycopg  # only where PostgreSQL is installed for the tests

    with psycopg.connect(host=CLUSTER, user="dramafeed", dbname="postgres", autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[arg-type]
