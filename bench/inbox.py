"""What it costs to take in a signed activity, against a bare loop that parses and verifies the same.

The bare loop reads the JSON, takes the signature header apart, computes the digest and verifies with a key
that is parsed already; it knows no limits and stores nothing.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from bench.measure import ROUNDS, Figure
from dramafeed.activitypub.signatures import sign_cavage
from tests.fakes import RemoteServer, follow_of
from tests.site import BASE_URL, Site

REQUESTS = 500
_PATH = "/ap/actors/mina/inbox"
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
Environ = dict[str, Any]


def activity_of(server: RemoteServer, kind: str, number: int) -> dict[str, Any]:
    """A Follow or a Like by the actor of a server."""
    activity = follow_of(server, f"{BASE_URL}/ap/actors/mina", number)
    return {**activity, "type": kind, "id": f"{activity['id']}/{kind}"}


def request_of(site: Site, server: RemoteServer, activity: dict[str, Any]) -> Environ:
    """A signed POST as a WSGI server hands it over."""
    body = json.dumps(activity).encode()
    url = f"{BASE_URL}{_PATH}"
    headers = sign_cavage(server.signer, "POST", url, now=site.clock(), body=body)
    named = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": _PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "blog.example",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "https",
        "wsgi.version": (1, 0),
        "wsgi.errors": io.StringIO(),
        "CONTENT_TYPE": "application/activity+json",
        "CONTENT_LENGTH": str(len(body)),
        "body": body,
        **named,
    }


def take_in(site: Site, requests: list[Environ], threads: int = 1) -> None:
    """Through the door of the whole application."""
    answers: list[str] = []

    def ask(environ: Environ) -> None:
        asked = {**environ, "wsgi.input": io.BytesIO(environ["body"])}
        b"".join(site.app.wsgi_app(asked, lambda status, *_: answers.append(status)))

    if threads == 1:
        for environ in requests:
            ask(environ)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(ask, requests))
    assert set(answers) == {"202 ACCEPTED"}, set(answers)


def bare(key: Any, requests: list[Environ]) -> None:
    """Parse and verify."""
    for environ in requests:
        json.loads(environ["body"])
        digest = base64.b64encode(hashlib.sha256(environ["body"]).digest()).decode()
        assert environ["HTTP_DIGEST"] == f"SHA-256={digest}"
        parameters = dict(_PARAMETER.findall(environ["HTTP_SIGNATURE"]))
        lines = [
            f"{name}: post {environ['PATH_INFO']}"
            if name == "(request-target)"
            else f"{name}: {environ['HTTP_' + name.upper()]}"
            for name in parameters["headers"].split(" ")
        ]
        signature = base64.b64decode(parameters["signature"])
        key.verify(signature, "\n".join(lines).encode(), padding.PKCS1v15(), hashes.SHA256())


def figures() -> Iterator[Figure]:
    """Follows, which are stored, and Likes, which are answered and forgotten."""
    site = Site(Path(tempfile.mkdtemp(prefix="dramafeed-bench-")))
    site.author()
    site.run(5)
    server = site.followed()
    key = serialization.load_pem_public_key(server.signer.key.public_pem.encode())
    for kind, threads, goal in (("Follow", 1, ">= 0.3"), ("Follow", 4, ""), ("Like", 1, "")):
        ratios = []
        for turn in range(ROUNDS + 1):
            first = 10 + (threads * (ROUNDS + 1) + turn) * REQUESTS
            numbers = range(first, first + REQUESTS)
            requests = [request_of(site, server, activity_of(server, kind, n)) for n in numbers]
            start = time.process_time()
            take_in(site, requests, threads)
            middle = time.process_time()
            bare(key, requests)
            ratios.append((time.process_time() - middle) / (middle - start))
        note = "its key is known" if kind == "Follow" else "nothing here reads it"
        note = f"{note}; {threads} at once" if threads > 1 else note
        yield Figure(f"taking in a {kind}: CPU of parse and verify / ours", ratios[1:], goal, note)
    site.close()
