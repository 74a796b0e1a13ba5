"""Finished documents as `dramafeed serve` answers them, against nginx with the same bytes as static files."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.measure import ROUNDS, Figure, cpu_of_processes, memory_of_processes
from bench.sites import review_slug, write_content
from tests.peers.running import SEARCH, free_port

_CONNECTIONS, _SECONDS = 64, 1
_SMALL, _LARGE = 100, 10_000
_IDLE_MEGABYTES = 200
_KINDS = {
    "feed": "/feed.xml",
    "page": f"/reviews/{review_slug(7)}/",
    "actor": "/ap/actors/blog",
    "outbox": "/ap/actors/blog/outbox?page=1",
    "object": "",  # its address is only known once the site is there
}
_NGINX = """
{user} daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
events {{ worker_connections 512; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
    client_body_temp_path body; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    proxy_temp_path proxy; proxy_cache_path cache keys_zone=documents:8m;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            root files; default_type "text/html; charset=utf-8";
            add_header Cache-Control "max-age=60, s-maxage=1"; add_header Vary "Accept, Accept-Encoding";
            add_header X-Content-Type-Options nosniff;
        }}
        location /front/ {{
            proxy_pass http://{site}/; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_cache documents; proxy_cache_key $request_uri$http_accept_encoding;
            open_file_cache max=1000 inactive=60s; open_file_cache_valid 5s;
            proxy_cache_lock on; proxy_cache_use_stale updating; proxy_cache_background_update on;
        }}
    }}
}}
"""


class Server:
    """A process and its children, under load one second at a time."""

    def __init__(self, command: Sequence[str], folder: Path, **environment: str) -> None:
        own = {**os.environ, **environment}
        self._running = subprocess.Popen(command, cwd=folder, env=own, stdout=subprocess.DEVNULL)

    def pids(self) -> list[int]:
        """The process and whatever it started."""
        found = [self._running.pid]
        for pid in found:  # grows while it is read
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def rate(self, url: str, *headers: str) -> float:
        """Answers a CPU second of the server."""
        pids = self.pids()
        before = cpu_of_processes(pids)
        words = [word for header in headers for word in ("-H", header)]
        load = ["wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{_SECONDS}s", *words, url]
        told = subprocess.run(load, capture_output=True, text=True, check=True).stdout
        found = re.search(r"(\d+) requests in", told)
        if found is None or "Non-2xx" in told:
            raise RuntimeError(f"{url} was not answered well: {told}")
        return int(found[1]) / (cpu_of_processes(pids) - before)

    def end(self) -> None:
        """Stop it."""
        self._running.terminate()
        self._running.wait()


def figures() -> Iterator[Figure]:
    """Rates of every kind, with and without a condition; growth; memory; behind nginx."""
    missing = [name for name in ("nginx", "wrk") if shutil.which(name, path=SEARCH) is None]
    if missing:
        sys.stdout.write(f"documents: not measured, {' and '.join(missing)} is not installed.\n")
        return
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dramafeed-bench-")))
        small, small_url = _a_site(folder / "small", _SMALL, stack)
        large, large_url = _a_site(folder / "large", _LARGE, stack)
        yield from _memory(small, large)
        nginx, nginx_url = _nginx(folder, small_url, stack)
        for kind, path in _paths(small_url).items():
            yield from _against_static(folder, kind, small, small_url + path, nginx, nginx_url)
        for kind, path in _paths(large_url).items():
            ratios = [
                large.rate(large_url + path, "Accept-Encoding: gzip")
                / small.rate(small_url + _paths(small_url)[kind], "Accept-Encoding: gzip")
                for _ in range(ROUNDS)
            ]
            yield Figure(f"{kind}: rate at {_LARGE:,} reviews / at {_SMALL}", ratios, goal=">= 0.9")
        ratios = [
            nginx.rate(f"{nginx_url}front{_KINDS['page']}", "Accept-Encoding: gzip")
            / nginx.rate(f"{nginx_url}page", "Accept-Encoding: gzip")
            for _ in range(ROUNDS)
        ]
        yield Figure("page behind nginx's cache / static file", ratios, goal=">= 0.9")


def _against_static(
    folder: Path, kind: str, ours: Server, url: str, nginx: Server, nginx_url: str
) -> Iterator[Figure]:
    """The whole document packed, and the answer to who has it already."""
    packed = "Accept-Encoding: gzip"
    etag = _fetched(url, packed, folder / "files" / kind)
    its_etag = _fetched(f"{nginx_url}{kind}", packed)
    for name, mine, its in (
        (kind, (packed,), (packed,)),
        (f"{kind}, 304", (packed, f"If-None-Match: {etag}"), (packed, f"If-None-Match: {its_etag}")),
    ):
        ratios = [ours.rate(url, *mine) / nginx.rate(f"{nginx_url}{kind}", *its) for _ in range(ROUNDS)]
        yield Figure(f"{name}: rate of serve / nginx", ratios, goal=">= 0.5")


def _memory(small: Server, large: Server) -> Iterator[Figure]:
    time.sleep(10)  # what the start left behind is settled
    much, little = (memory_of_processes(server.pids()) for server in (large, small))
    note = f"all processes of serve: {little / 1e6:.0f} MB at {_SMALL}, {much / 1e6:.0f} MB at {_LARGE:,}"
    share = much / 1e6 / _IDLE_MEGABYTES
    yield Figure(f"memory at {_LARGE:,} reviews / {_IDLE_MEGABYTES} MB", [share], "<= 1", note)
    yield Figure(f"memory at {_LARGE:,} reviews / at {_SMALL}", [much / little], "<= 1.3")


def _a_site(folder: Path, reviews: int, stack: contextlib.ExitStack) -> tuple[Server, str]:
    """A running site and its address; it was published before it was started."""
    write_content(folder / "content", reviews)
    url = f"http://127.0.0.1:{free_port()}"
    environment = {"DRAMAFEED_BASE_URL": url}
    command = [sys.executable, "-m", "dramafeed"]
    publish, own = [*command, "publish"], {**os.environ, **environment}
    subprocess.run(publish, cwd=folder, env=own, stdout=subprocess.DEVNULL, check=True)
    server = Server([*command, "serve"], folder, **environment)
    stack.callback(server.end)
    _wait(f"{url}/readyz")
    return server, url


def _nginx(folder: Path, site: str, stack: contextlib.ExitStack) -> tuple[Server, str]:
    (folder / "files").mkdir()
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    text = _NGINX.format(user=user, port=port, site=site.removeprefix("http://"))
    (folder / "nginx.conf").write_text(text)
    binary = shutil.which("nginx", path=SEARCH) or "nginx"
    server = Server([binary, "-p", str(folder), "-c", str(folder / "nginx.conf")], folder)
    stack.callback(server.end)
    (folder / "files" / "up").write_text("up")
    _wait(f"http://127.0.0.1:{port}/up")
    return server, f"http://127.0.0.1:{port}/"


def _paths(url: str) -> dict[str, str]:
    with urllib.request.urlopen(f"{url}{_KINDS['page']}") as page:
        uid = re.search(r"/ap/reviews/[0-9a-f-]{36}", page.headers["Link"])
    return {**_KINDS, "object": uid[0] if uid else ""}


def _fetched(url: str, header: str, keep: Path | None = None) -> str:
    """The ETag at an address, whose bytes are kept in a file."""
    name, _, value = header.partition(": ")
    with urllib.request.urlopen(urllib.request.Request(url, headers={name: value})) as answer:
        if keep:
            keep.write_bytes(answer.read())
        return str(answer.headers["ETag"])


def _wait(url: str) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(url):
            return
        time.sleep(0.2)
    raise RuntimeError(f"{url} does not answer.")
