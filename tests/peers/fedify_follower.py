"""A person on a Fedify server, driven from a test (the server is fedify/follower.mjs)."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.peers.running import HERE, Program, find_node

FOLDER = HERE / "fedify"
Json = dict[str, Any]


class Follower:
    """Looks authors up, follows, likes, replies; `received` holds what was signed well."""

    def __init__(
        self,
        *,
        origin: str,
        port: int,
        folder: Path,
        name: str = "fan",
        ca: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.origin = origin
        self.received: list[Json] = []
        self.refused: list[Json] = []
        self.requests: list[Json] = []
        self._ready: Json = {}
        self._answers: dict[int, Json] = {}
        self._asked = 0
        trust = {"NODE_EXTRA_CA_CERTS": str(ca)} if ca is not None else {}
        self.program = Program(
            [find_node(FOLDER), str(FOLDER / "follower.mjs"), origin, str(port), name],
            log=folder / f"{name}.log",
            env={**os.environ, **trust, **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read, name=f"follower {name}", daemon=True)
        self._reader.start()

    def __enter__(self) -> Follower:
        try:
            self.program.wait_until("the Fedify server is up", lambda: self._ready, 40)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.program.stop()
        self._reader.join(5)

    @property
    def actor(self) -> str:
        return str(self._ready["actor"])

    @property
    def handle(self) -> str:
        return str(self._ready["handle"])

    def do(self, command: str, seconds: float = 30, **words: str) -> Any:
        """Give one command and return its answer; an error of the server fails the test."""
        self._asked += 1
        number = self._asked
        line = json.dumps({"id": number, "do": command, **words})
        assert self.program.process.stdin is not None
        self.program.process.stdin.write(line.encode() + b"\n")
        self.program.process.stdin.flush()
        answer = self.program.wait_until(
            f"an answer to {line}", lambda: self._answers.pop(number, None), seconds
        )
        if "error" in answer:
            raise AssertionError(f"{line}: {answer['error']}\n{self.program.text()[-4000:]}")
        return answer["ok"]

    def gets(self, kind: str, where: Callable[[Json], bool] = lambda _: True, seconds: float = 40) -> Json:
        """The first signed activity of this type that `where` accepts, awaited if need be."""

        def look() -> Json | None:
            matching = (it for it in list(self.received) if it.get("type") == kind and where(it))
            return next(matching, None)

        try:
            return self.program.wait_until(f"{kind} reaches {self.handle}", look, seconds)
        except AssertionError as problem:
            seen = [(it.get("type"), it.get("id")) for it in self.received]
            raise AssertionError(f"{problem}\nreceived: {seen}\nrefused: {self.refused}") from None

    def posts(self) -> list[Json]:
        """What was posted to its inboxes, with the answer and the kind of signature."""
        return [it for it in list(self.requests) if it["method"] == "POST"]

    def _read(self) -> None:
        assert self.program.process.stdout is not None
        for line in self.program.process.stdout:
            message: Json = json.loads(line)
            if "re" in message:
                self._answers[message["re"]] = message
                continue
            match message.get("event"):
                case "ready":
                    self._ready = message
                case "received":
                    self.received.append(message["activity"])
                case "refused":
                    self.refused.append(message)
                case "request":
                    self.requests.append(message)
