"""A throwaway PostgreSQL: one cluster per test run, a fresh database per test, by a socket."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.peers.running import Program, as_user, find_program, hand_over, plain_user, run


def _binaries() -> list[Path]:
    """Where Debian and Homebrew keep the server, newest first."""
    folders = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *Path("/opt/homebrew/opt").glob("postgresql@*/bin"),
    ]
    return sorted(folders, key=_version, reverse=True)


def _version(folder: Path) -> int:
    digits = "".join(letter for letter in folder.parent.name if letter.isdigit())
    return int(digits or 0)


class Cluster:
    """A running server that nobody outside this machine, and no other user on it, can reach."""

    def __init__(self) -> None:
        folders = _binaries()
        self.user = plain_user("postgres")
        self.initdb = find_program("initdb", *folders)
        self.server = find_program("postgres", *folders)
        # Below the system's folder for temporary files: a socket's path has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="dramafeed-pg-"))
        hand_over(self.folder, self.user)
        self.program: Program | None = None
        self._numbers = count(1)

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.program is not None:
            self.program.stop(signal.SIGQUIT)  # at once: what it holds is thrown away
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        data = self.folder / "data"
        words = "--username=dramafeed --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync"
        run(
            [self.initdb, f"--pgdata={data}", *words.split()],
            cwd=self.folder,
            **as_user(self.user),
        )
        # No port: only the socket in a folder that nobody else may enter.
        options = [
            f"unix_socket_directories={self.folder}",
            "listen_addresses=",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "autovacuum=off",
            "max_wal_size=4GB",
            "checkpoint_timeout=1h",
            "max_connections=100",
            "log_min_messages=warning",
        ]
        self.program = Program(
            [self.server, "-D", str(data), *(f"--{option}" for option in options)],
            log=self.folder / "postgres.log",
            cwd=self.folder,
            user=self.user,
        )
        self.program.wait_until("PostgreSQL answers", self._answers, 30)

    def _answers(self) -> bool:
        try:
            with self._connect():
                return True
        except psycopg.OperationalError:
            return False

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.folder),
            user="dramafeed",
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    @contextmanager
    def database(self) -> Iterator[str]:
        """A fresh, empty database; yields its URL for DATABASE_URL and drops it afterwards."""
        name = f"site_{next(self._numbers)}"
        with self._connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            yield f"postgresql+psycopg://dramafeed@/{name}?host={self.folder}"
        finally:
            with self._connect() as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
