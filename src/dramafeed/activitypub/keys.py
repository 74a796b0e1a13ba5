"""RSA keys, ours and theirs, with the limits that keep them safe and cheap.

Will not store, fetch or choose keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dramafeed.errors import SignatureError

MIN_BITS = 2048
MAX_BITS = 4096
MAX_PEM = 8192
# Larger exponents only make verifying slow; 3 is the smallest that is safe with strict padding.
_EXPONENTS = range(3, 2**32)
PADDING = padding.PKCS1v15()
HASH = hashes.SHA256()
_KEY_ID = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,2048}")


class PrivateKey:
    """A signing key of one of our actors, parsed once: parsing costs as much as 140 signatures."""

    __slots__ = ("public_pem", "rsa")

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self.rsa = key
        self.public_pem = (
            key.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode("ascii")
        )

    def __repr__(self) -> str:
        return f"<PrivateKey of {self.rsa.key_size} bits>"

    @classmethod
    def generate(cls) -> PrivateKey:
        """A fresh key of the size that every server accepts."""
        return cls(rsa.generate_private_key(public_exponent=65537, key_size=MIN_BITS))

    @classmethod
    def from_pem(cls, text: str) -> PrivateKey:
        """The key in an unencrypted PEM text.

        Raises:
            SignatureError: it is not an RSA key of 2048 to 4096 bits.
        """
        try:
            key = serialization.load_pem_private_key(text.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SignatureError("The private key is not a readable PEM text.") from error
        if not isinstance(key, rsa.RSAPrivateKey) or not MIN_BITS <= key.key_size <= MAX_BITS:
            raise SignatureError(f"The private key is not RSA of {MIN_BITS} to {MAX_BITS} bits.")
        return cls(key)

    def pem(self) -> str:
        """The key as an unencrypted PKCS#8 text, for storing."""
        return self.rsa.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii")

    def sign(self, data: bytes) -> bytes:
        """RSA PKCS#1 v1.5 with SHA-256."""
        return self.rsa.sign(data, PADDING, HASH)


@dataclass(frozen=True)
class Signer:
    """Who signs: a key and the id under which others find its public half."""

    key: PrivateKey
    key_id: str

    def __post_init__(self) -> None:
        check_key_id(self.key_id)


def check_key_id(key_id: str) -> None:
    """Refuses a key id that could end, or escape from, a quoted header parameter."""
    if not _KEY_ID.fullmatch(key_id):
        raise SignatureError(f"The key id {key_id[:100]!r} cannot be written into a header.")


@lru_cache(maxsize=1024)
def load_public_key(pem: str) -> rsa.RSAPublicKey:
    """The RSA key in a PEM text that another server published; parsing costs three times a verification.

    Raises:
        SignatureError: it is unreadable, of another kind, or outside of the limits.
    """
    if len(pem) > MAX_PEM:
        raise SignatureError(f"The public key has {len(pem)} characters; at most {MAX_PEM}.")
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SignatureError("The public key is not a readable PEM text.") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise SignatureError("The public key is not RSA; other kinds are not supported.")
    if not MIN_BITS <= key.key_size <= MAX_BITS:
        raise SignatureError(
            f"The public key has {key.key_size} bits; {MIN_BITS} to {MAX_BITS} are accepted."
        )
    if key.public_numbers().e not in _EXPONENTS:
        raise SignatureError("The public key has an unusable exponent.")
    return key
