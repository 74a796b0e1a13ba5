"""What a signed delivery's headers cost, against the bare RSA signature inside them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench.measure import Figure, compare
from dramafeed.activitypub.signatures import PrivateKey, Signer, sign_cavage


def figures() -> Iterator[Figure]:
    """The one figure of this file."""
    key = PrivateKey.generate()
    signer = Signer(key, "https://blog.example/ap/actors/mina#main-key")
    now, body = datetime(2026, 11, 22, tzinfo=UTC), b"x" * 2400

    def ours() -> object:
        return sign_cavage(signer, "POST", "https://social.example/inbox", now=now, body=body)

    bare = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def reference() -> object:
        return bare.sign(b"x" * 300, padding.PKCS1v15(), hashes.SHA256())

    yield compare("signing a delivery / the bare RSA signature", ours, reference, 200)
