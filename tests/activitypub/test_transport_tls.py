"""Encrypted connections: whose name is checked, and whom we trust."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from dramafeed.doctor import unreachable
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


def test_an_observation_says_when_the_certificate_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For `doctor`: also after a short answer, and on a connection that is used again."""
    context, chain = certificate(tmp_path, "peer.example", days=20)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))

    async def work() -> None:
        async with (
            Peer({"/x": reply(b"ready")}, tls=context) as peer,
            door(resolve=names(peer_example="127.0.0.1")) as transport,
        ):
            for _ in range(2):
                seen = await transport.observe("GET", peer.url("/x", "peer.example"))
                assert seen.certificate_end is not None
                left = seen.certificate_end - datetime.datetime.now(datetime.UTC)
                assert 19.9 < left / datetime.timedelta(days=1) < 20.1
            assert peer.connections == 1

    run(work)


@pytest.mark.parametrize(
    "hosts, days, host, words",
    [
        (["peer.example"], -1, "peer.example", "has expired: renew it"),
        (["other.example"], 1, "peer.example", "is for another name"),
        (["peer.example"], 1, "nobody.example", "DNS knows no address of nobody.example"),
    ],
)
def test_the_doctor_understands_what_openssl_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hosts: list[str], days: float, host: str, words: str
) -> None:
    """The causes are recognised by the words of OpenSSL and the resolver: here are the real ones."""
    context, chain = certificate(tmp_path, *hosts, days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))

    def unknown(host: str) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def resolve(asked: str) -> Sequence[str]:
        return ["127.0.0.1"] if asked == "peer.example" else unknown(asked) or ()

    async def work() -> None:
        async with Peer({"/x": reply(b"")}, tls=context) as peer, door(resolve=resolve) as transport:
            url = peer.url("/x", host)
            with pytest.raises(TransportError) as caught:
                await transport.observe("GET", url)
            assert words in unreachable(caught.value, url)

    run(work)
