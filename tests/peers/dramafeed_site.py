"""dramafeed itself, started the way a person starts it, on a content folder made for the test."""

from __future__ import annotations

import contextlib
import os
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.peers.running import MissingProgramError, Program, eventually, run

# Short enough for a test, long enough that a hold or a grace time is really passed through.
QUICK = {"HOLD_SECONDS": "1", "QUIET_SECONDS": "1", "GRACE_SECONDS": "3"}

SITE = """\
title: Subtitles On
description: A team blog about Korean drama.
language: en
timezone: UTC
"""

AUTHOR = """\
---
name: Mina Seo
handle: mina
---
Mina watches the first episode twice and the last one never.
"""

# Dated long ago: it is there from the start and reaches nobody's inbox.
OLD_REVIEW = """\
---
title: Lighthouse Street
author: mina
published: 2021-03-02 18:00
rating: 7/10
---
A slow year in a harbour town, told by the people who stayed.
"""


def review(title: str, body: str, *, author: str = "mina", extra: str = "") -> str:
    """The text of an undated review: it is published the moment it is first seen."""
    return f"---\ntitle: {title}\nauthor: {author}\n{extra}---\n{body}\n"


@dataclass(frozen=True)
class Answer:
    """What the site said to a GET."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8")

    def header(self, name: str) -> str:
        """The value of a header, or an empty string."""
        return next((v for k, v in self.headers.items() if k.lower() == name.lower()), "")


class Site:
    """One running `dramafeed serve`: `url` is its canonical address, `local` the plain one."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        base_url: str | None = None,
        ca: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.content = folder / "content"
        self.local = f"http://127.0.0.1:{port}"
        self.url = base_url or self.local
        self.program: Program | None = None
        self._runs = 0
        self.tls = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
        own = {
            "BASE_URL": self.url,
            "LISTEN": f"127.0.0.1:{port}",
            "CONTENT": str(self.content),
            "DATA": str(folder / "var"),
            "ALLOW_PRIVATE_ADDRESSES": "yes",
            **QUICK,
            **(settings or {}),
        }
        outer = {k: v for k, v in os.environ.items() if not k.startswith("DRAMAFEED_")}
        trust = {"SSL_CERT_FILE": str(ca)} if ca is not None else {}
        self.env = {**outer, **trust, **{f"DRAMAFEED_{k}": v for k, v in own.items()}}
        self.command_line = Path(sys.executable).parent / "dramafeed"
        if not self.command_line.exists():
            raise MissingProgramError(f"{self.command_line} is not there; `make dev` installs it.")
        self._first_content()

    def _first_content(self) -> None:
        self.write("site.yaml", SITE)
        self.write("authors/mina.md", AUTHOR)
        self.write("reviews/lighthouse-street.md", OLD_REVIEW)

    def __enter__(self) -> Site:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it says that it is well."""
        self._runs += 1
        self.program = Program(
            [str(self.command_line), "serve"],
            log=self.folder / f"serve-{self._runs}.log",
            env=self.env,
            cwd=self.folder,
        )
        try:
            self.program.wait_until("/readyz answers 200", self._healthy, 40)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> int:
        """End it as a service manager would; returns the exit code (negative: killed)."""
        if self.program is None:
            return 0
        code = self.program.stop()
        self.program = None
        return code

    def _healthy(self) -> bool:
        try:
            return self.get("/readyz", local=True).status == 200
        except OSError:
            return False

    # --- what a writer does

    def write(self, path: str, text: str) -> None:
        """Save a file as a careful editor does: whole, in one step."""
        target = self.content / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.new")
        draft.write_text(text, "utf-8")
        draft.replace(target)

    def remove(self, path: str) -> None:
        (self.content / path).unlink()

    def command(self, *words: str, seconds: float = 60) -> str:
        """Run `dramafeed WORDS` beside the running site and return what it printed."""
        return run([str(self.command_line), *words], seconds, env=self.env, cwd=self.folder)

    # --- what a reader does

    def get(
        self,
        path: str,
        *,
        accept: str = "*/*",
        headers: Mapping[str, str] | None = None,
        local: bool = False,
    ) -> Answer:
        """GET a path or an absolute URL of the site, without following redirects."""
        url = path if "://" in path else f"{self.local if local else self.url}{path}"
        request = urllib.request.Request(url, headers={"Accept": accept, **(headers or {})})
        tls = urllib.request.HTTPSHandler(context=self.tls)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _StayHere, tls)
        with contextlib.ExitStack() as stack:
            try:
                response = stack.enter_context(opener.open(request, timeout=10))
            except urllib.error.HTTPError as refusal:
                response = stack.enter_context(refusal)
            return Answer(response.status, dict(response.headers.items()), response.read())

    def shows(self, path: str, text: str, seconds: float = 20) -> Answer:
        """Wait until a page or feed contains `text`."""

        def look() -> Answer | None:
            answer = self.get(path)
            return answer if answer.status == 200 and text in answer.text else None

        return eventually(f"{path} shows {text!r}\n{self.log()[-4000:]}", look, seconds)

    def log(self) -> str:
        return self.program.text() if self.program is not None else ""


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None
