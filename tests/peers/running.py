"""Start outside programs and wait for them.

Every wait has a deadline, every program is ended by its id.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

T = TypeVar("T")

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Where Debian and Homebrew put servers that are not on everybody's PATH.
SEARCH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])


class MissingProgramError(Exception):
    """A program that the tests need is not installed; the message says which."""


def eventually(what: str, look: Callable[[], T | None], seconds: float = 20, every: float = 0.1) -> T:
    """Return the first truthy answer of `look`; fail with `what` when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:g} s in vain: {what}")
        time.sleep(every)


def free_port() -> int:
    """A loopback port that nobody listens on at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def accepts(port: int) -> bool:
    """Does anybody listen on this loopback port?"""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def find_program(name: str, *folders: Path) -> str:
    """The path of a program; `MissingProgramError` names it otherwise."""
    path = os.pathsep.join([*map(str, folders), SEARCH])
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingProgramError(f"{name} is not installed; `make peers` installs it, or says what to type.")
    return found


def find_node(folder: Path) -> str:
    """Node for the packages in `folder`: the one from npm if it is there, else the PATH's."""
    if not (folder / "node_modules").is_dir():
        raise MissingProgramError(f"{folder / 'node_modules'} is not there; `make peers` installs it.")
    return find_program("node", HERE / "fedify" / "node_modules" / ".bin")


def plain_user(*preferred: str) -> str | None:
    """For programs that refuse root: a user without rights, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in (*preferred, "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise MissingProgramError("no user without rights was found (looked for nobody).")


def hand_over(folder: Path, user: str | None) -> None:
    """Make `user` the owner of a folder of ours."""
    if user is not None:
        record = pwd.getpwnam(user)
        os.chown(folder, record.pw_uid, record.pw_gid)


def as_user(user: str | None) -> dict[str, Any]:
    """The arguments that make subprocess run a program as `user`."""
    if user is None:
        return {}
    record = pwd.getpwnam(user)
    return {"user": record.pw_uid, "group": record.pw_gid, "extra_groups": []}


class Program:
    """One running program with a log; ends with the `with` block, together with its children."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        user: str | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        with log.open("ab") as sink:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                list(command),
                stdin=stdin,
                stdout=sink if stdout is None else stdout,
                stderr=sink,
                env=dict(env) if env is not None else None,
                cwd=cwd,
                start_new_session=True,
                **as_user(user),
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def wait_until(self, what: str, look: Callable[[], T | None], seconds: float = 20) -> T:
        """Like `eventually`, but gives up at once when the program ends, and shows its log."""

        def watched() -> T | None:
            found = look()
            if not found and not self.running:
                raise AssertionError(f"{self.name} ended with code {self.process.returncode}")
            return found

        try:
            return eventually(what, watched, seconds)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n--- log of {self.name}\n{self.text()[-6000:]}") from None

    def stop(self, sign: signal.Signals = signal.SIGTERM, seconds: float = 10) -> int:
        """Ask it to end; after `seconds` end it. Returns its exit code, negative when we had to."""
        if self.running:
            self.process.send_signal(sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        self._end_group()
        code = self.process.wait(5)
        for pipe in (self.process.stdin, self.process.stdout):
            close_quietly(pipe)
        return code

    def _end_group(self) -> None:
        # The program leads its own session, so this reaches it and its children and nobody else.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def close_quietly(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with contextlib.suppress(OSError):
            pipe.close()


def run(command: Sequence[str], seconds: float = 60, *, stdin: bytes | None = None, **options: Any) -> str:
    """Run a program to its end and return what it printed; its failure fails the test."""
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    result = subprocess.run(
        list(command),
        **given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
        **options,
    )
    text: str = result.stdout.decode("utf-8", "replace")
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(command)} ended with code {result.returncode}:\n{text[-6000:]}")
    return text
