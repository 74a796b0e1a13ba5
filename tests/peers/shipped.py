"""The proxy configurations of deploy/, run as they are shipped, except for names, ports and folders.

Every replacement must find what it replaces: a change of the shipped file that tests would miss fails here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.peers.nginx import Authority
from tests.peers.running import ROOT, Program, accepts, find_program, free_port, run

DEPLOY = ROOT / "deploy"


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The text with each key put right; a key that is not there is an error."""
    for old, new in changes.items():
        assert old in text, f"the shipped file no longer has {old!r}"
        text = text.replace(old, new)
    return text


class Shipped:
    """A proxy with https://localhost:PORT as its `url`, in front of a plain server on port `upstream`."""

    program: Program

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.folder = folder
        self.authority = authority
        self.upstream, self.port, self.plain_port = free_port(), free_port(), free_port()
        self.url = f"https://localhost:{self.port}"

    def __enter__(self) -> Self:
        self.write()
        self.begin()
        return self

    def begin(self) -> None:
        """Start it with what is written."""
        self.program = self.start()
        self.program.wait_until("the proxy listens", lambda: accepts(self.port))

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.program.stop()

    def write(self) -> None:
        """Write the configuration."""
        raise NotImplementedError

    def start(self) -> Program:
        """Start the proxy."""
        raise NotImplementedError


class ShippedNginx(Shipped):
    """deploy/nginx/dramafeed.conf, included by a minimal nginx.conf as conf.d is."""

    slow_seconds = 1  # tests do not wait for ten
    faults: Mapping[str, str] = {}  # further replacements, which mostly break it

    def write(self) -> None:
        """Write the configuration."""
        shipped = (DEPLOY / "nginx/dramafeed.conf").read_text("utf-8")
        lines = [line for line in shipped.splitlines() if "listen [::]" not in line]
        changes = {
            "/etc/letsencrypt/live/blog.example/fullchain.pem": str(self.authority.certificate),
            "/etc/letsencrypt/live/blog.example/privkey.pem": str(self.authority.key),
            "blog.example": "localhost",
            "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
            "listen 443 ssl": f"listen {self.port} ssl",
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{self.upstream};",
            "/var/cache/dramafeed": str(self.folder / "cache"),
            "/var/log/nginx/": f"{self.folder}/",
            "client_header_timeout 10s": f"client_header_timeout {self.slow_seconds}s",
            "client_body_timeout 10s": f"client_body_timeout {self.slow_seconds}s",
        }
        site = replaced(replaced("\n".join(lines), changes), self.faults)
        (self.folder / "site.conf").write_text(site, "utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        temporary = "".join(
            f'{kind}_temp_path "{self.folder}/{kind}";\n'
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (self.folder / "nginx.conf").write_text(
            f'{user} daemon off; worker_processes 1; pid "{self.folder}/nginx.pid"; error_log stderr warn;\n'
            f"events {{ worker_connections 1024; }}\n"
            f'http {{ access_log off;\n{temporary} include "{self.folder}/site.conf"; }}\n',
            "utf-8",
        )
        run([*self._command(), "-t", "-q"])

    def _command(self) -> list[str]:
        return [find_program("nginx"), "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]

    def start(self) -> Program:
        """Start nginx."""
        return Program(self._command(), log=self.folder / "nginx.log")

    def reload(self, faults: Mapping[str, str] | None = None) -> None:
        """Go on with the shipped configuration, or with a broken one."""
        self.faults = faults or {}
        self.write()
        self.program.stop()
        self.begin()


class ShippedCaddy(Shipped):
    """deploy/caddy/Caddyfile with a certificate of the test run instead of one that it would ask for."""

    def write(self) -> None:
        """Write the configuration."""
        shipped = (DEPLOY / "caddy/Caddyfile").read_text("utf-8")
        tls = f"tls {self.authority.certificate} {self.authority.key}"
        changes = {
            "\nblog.example {": f"\n{self.url} {{\n\t{tls}",
            "127.0.0.1:8000": f"127.0.0.1:{self.upstream}",
            "\n{\n": "\n{\n\tadmin off\n\tauto_https disable_redirects\n",
        }
        (self.folder / "Caddyfile").write_text(replaced(shipped, changes), "utf-8")
        run([*self._command("validate")], env=self._env())

    def _command(self, word: str) -> list[str]:
        return [
            find_program("caddy"),
            word,
            "--config",
            str(self.folder / "Caddyfile"),
            "--adapter",
            "caddyfile",
        ]

    def _env(self) -> dict[str, str]:
        homes = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        return {**os.environ, **dict.fromkeys(homes, str(self.folder))}

    def start(self) -> Program:
        """Start Caddy."""
        return Program(self._command("run"), log=self.folder / "caddy.log", env=self._env())
