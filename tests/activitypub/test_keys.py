"""Keys, ours and theirs: only sound RSA keys of a sensible size are used (A16)."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.activitypub.signatures import PrivateKey, read, sign_cavage, verify
from dramafeed.errors import SignatureError
from tests.activitypub.samples import BODY, NOW, key, request, signer

INBOX = "https://blog.example/ap/inbox"


def signed(number: int = 0) -> dict[str, str]:
    """The headers of a sound request."""
    return sign_cavage(signer(number=number), "POST", INBOX, now=NOW, body=BODY)


def small_key(bits: int, exponent: int = 65537) -> rsa.RSAPrivateKey:
    """A key that is too small."""
    return rsa.generate_private_key(public_exponent=exponent, key_size=bits)


def pem_of(public: Any) -> str:
    """A public key as PEM."""
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def rsa_numbers(modulus: int, exponent: int) -> str:
    """A public key of these numbers as PEM, sound or not."""
    return pem_of(rsa.RSAPublicNumbers(exponent, modulus).public_key())


ED = pem_of(ed25519.Ed25519PrivateKey.generate().public_key())
EC = pem_of(ec.generate_private_key(ec.SECP256R1()).public_key())
BAD_KEYS = {
    "1024 bits": (pem_of(small_key(1024).public_key()), "bits"),
    "16384 bits": (rsa_numbers((1 << 16383) + 1, 65537), "bits"),
    "4104 bits": (rsa_numbers((1 << 4103) + 1, 65537), "bits"),
    "huge exponent": (rsa_numbers((1 << 2047) + 1, (1 << 40) + 1), "exponent"),
    "ed25519": (ED, "not RSA"),
    "elliptic": (EC, "not RSA"),
    "empty": ("", "readable"),
    "words": ("not a key", "readable"),
    "junk PEM": ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "readable"),
    "long": ("x" * 8193, "characters"),
    "half": (key().public_pem[:200], "readable"),
    "beyond ASCII": ("\u200b" + key().public_pem.replace("A", "\u0410", 3), "readable"),
}


@pytest.mark.parametrize("pem, words", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_unusable_keys(pem: str, words: str) -> None:
    """A16: small, huge, foreign and broken keys are refused with the reason."""
    parsed = read(request(signed()), now=NOW)
    with pytest.raises(SignatureError, match=words):
        verify(parsed, pem)


def test_a_private_key_is_no_public_key() -> None:
    """A16: a PEM of another kind is refused, not searched for a key."""
    parsed = read(request(signed()), now=NOW)
    with pytest.raises(SignatureError, match="readable"):
        verify(parsed, key().pem())


def test_exponent_three_with_a_forged_signature() -> None:
    """A16: with e=3, a cube root that only begins like a signature is refused."""
    small = rsa.generate_private_key(public_exponent=3, key_size=2048)
    headers = signed()
    message = read(request(headers), now=NOW).messages[0]
    digest_info = bytes.fromhex("3031300d060960864801650304020105000420")
    start = b"\x00\x01" + b"\xff" * 8 + b"\x00" + digest_info + hashlib.sha256(message).digest()
    wanted = int.from_bytes(start.ljust(256, b"\x00"), "big")
    root = _cube_root(wanted) + 1
    assert (root**3).to_bytes(256, "big").startswith(start)
    forged = base64.b64encode(root.to_bytes(256, "big")).decode()
    headers["Signature"] = re.sub('signature="[^"]*"', f'signature="{forged}"', headers["Signature"])
    with pytest.raises(SignatureError, match="does not match"):
        verify(read(request(headers), now=NOW), pem_of(small.public_key()))


def _cube_root(number: int) -> int:
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low


def test_pkcs1_public_keys_are_read() -> None:
    """Some servers publish their RSA keys in the older PEM form."""
    pem = key().rsa.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    verify(read(request(signed()), now=NOW), pem)


def test_the_wrong_key_does_not_verify() -> None:
    """A02: a signature by somebody else's key is refused."""
    with pytest.raises(SignatureError, match="does not match"):
        verify(read(request(signed(1)), now=NOW), key().public_pem)


def test_private_keys_keep_their_form() -> None:
    """A key that was stored signs as before; an unusable one is refused."""
    again = PrivateKey.from_pem(key().pem())
    assert again.public_pem == key().public_pem
    assert again.sign(b"x") == key().sign(b"x")
    assert "PRIVATE" not in repr(again)
    for pem in ("", "x", key().public_pem, ED):
        with pytest.raises(SignatureError):
            PrivateKey.from_pem(pem)


def _spoilt_pem(position: int) -> str:
    pem = key().public_pem
    return pem[:position] + "Z" + pem[position + 1 :]


@given(st.one_of(st.text(max_size=300), st.integers(0, 450).map(_spoilt_pem)))
def test_any_key_is_used_or_refused(pem: str) -> None:
    """A16: no PEM causes anything but a SignatureError."""
    parsed = read(request(signed()), now=NOW)
    try:
        verify(parsed, pem)
    except SignatureError:
        return
