"""A server on 127.0.0.x that answers exactly what a test wants, byte for byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

ACTIVITY = "application/activity+json"


@dataclass(frozen=True)
class Seen:
    """A request that arrived. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes


Write = Callable[[asyncio.StreamWriter], Awaitable[None]]
Reply = bytes | Write


def reply(body: bytes = b"", status: int = 200, kind: str | None = ACTIVITY, **headers: str) -> bytes:
    """A whole HTTP response. Underscores in header names become hyphens."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    if kind is not None:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def redirect(location: str, status: int = 302) -> bytes:
    """A response that sends the client elsewhere."""
    return reply(b"", status, None, Location=location)


@dataclass
class Peer:
    """Answers by path; every request is kept in `seen`. A path that is not named gets a 404."""

    routes: Mapping[str, Reply | Callable[[Seen], Reply]]
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        """The port that the system chose."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def url(self, path: str, host: str | None = None) -> str:
        """The address of a path here."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{host or self.host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers: dict[str, list[str]] = {}
        for line in filter(None, head[1:]):
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        body = await reader.readexactly(int(headers.get("content-length", ["0"])[0]))
        seen = Seen(method, target, headers, body)
        self.seen.append(seen)
        answer: Any = self.routes.get(target.partition("?")[0], reply(b"", 404))
        if not isinstance(answer, bytes) and not asyncio.iscoroutinefunction(answer):
            answer = answer(seen)
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            return True
        await answer(writer)
        return False
