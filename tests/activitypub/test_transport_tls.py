"""Encrypted connections: whose name is checked, and whom we trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from dramafeed.errors import TransportError
from tests.activitypub.doors import DOCUMENT, door, run
from tests.hostile import Peer, certificate, names, reply

# --------------------------------------------------------------------------- TLS


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A35: name and Host stay those of the URL while the resolved address is dialled; the file in
    SSL_CERT_FILE is trusted, a name that the certificate does not cover is not.
    """
    context, chain = certificate(tmp_path, "peer.example")
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    resolve = names(peer_example="127.0.0.1", other_example="127.0.0.1")

    async def work() -> None:
        async with Peer({"/x": reply(DOCUMENT)}, tls=context) as peer:
            async with door(resolve=resolve) as stranger:
                with pytest.raises(TransportError, match="certificate"):
                    await stranger.get_json(peer.url("/x", "peer.example"))
            monkeypatch.setenv("SSL_CERT_FILE", str(chain))
            async with door(resolve=resolve) as transport:
                assert await transport.get_json(peer.url("/x", "peer.example"))
                assert asked[-1] == "peer.example"
                assert peer.seen[0].headers["host"] == [f"peer.example:{peer.port}"]
                with pytest.raises(TransportError, match="certificate"):
                    await transport.get_json(peer.url("/x", "other.example"))
                assert len(peer.seen) == 1

    run(work)
