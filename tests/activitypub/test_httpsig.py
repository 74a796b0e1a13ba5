"""httpsig as oracle in both directions, and its known flaws kept out."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from email.utils import format_datetime

import pytest

from dramafeed.activitypub.composer import _bare_package
from dramafeed.activitypub.signatures import read, sign_cavage, verify
from dramafeed.errors import SignatureError
from tests.activitypub.samples import BODY, KEY_ID, NOW, digest, key, request, signer

with _bare_package("httpsig"):
    from httpsig.sign import HeaderSigner
    from httpsig.verify import HeaderVerifier

INBOX = "https://blog.example/ap/inbox"
COVERED = ["(request-target)", "host", "date", "digest"]
DATE = format_datetime(NOW, usegmt=True)
HEADERS = {"host": "blog.example", "date": DATE, "digest": digest(BODY)}


def httpsig_signs(key_id: str = KEY_ID, algorithm: str = "rsa-sha256") -> dict[str, str]:
    """What httpsig itself makes of a request, with the key parsed by its own library."""
    theirs = HeaderSigner(key_id, key().pem(), algorithm=algorithm, headers=COVERED, sign_header="signature")
    return dict(theirs.sign(dict(HEADERS), method="POST", path="/ap/inbox"))


def httpsig_verifies(headers: dict[str, str], secret: str) -> bool:
    """What httpsig says to a request."""
    lowered = {name.lower(): value for name, value in headers.items()}
    judge = HeaderVerifier(lowered, secret, COVERED, method="POST", path="/ap/inbox", sign_header="signature")
    verdict: bool = judge.verify()
    return verdict


def test_our_headers_are_httpsigs_byte_for_byte() -> None:
    """Signing with the kept key gives exactly what httpsig gives."""
    ours = sign_cavage(signer(), "POST", INBOX, now=NOW, body=BODY)
    assert {name.lower(): value for name, value in ours.items()} == httpsig_signs()


def test_httpsig_accepts_ours() -> None:
    """httpsig verifies what we sign."""
    ours = sign_cavage(signer(), "POST", INBOX, now=NOW, body=BODY)
    assert httpsig_verifies(ours, key().public_pem)
    assert not httpsig_verifies(ours, key(1).public_pem)


def test_we_accept_httpsig() -> None:
    """What httpsig signs passes our judge."""
    verify(read(request(httpsig_signs()), now=NOW), key().public_pem)


def test_encoded_key_ids() -> None:
    """httpsig breaks on a percent sign in the key id; through us it comes out as written."""
    key_id = "https://social.example/users/%40ann%20x#main-key"
    with pytest.raises((TypeError, ValueError)):
        httpsig_signs(key_id)
    headers = sign_cavage(signer(key_id), "POST", INBOX, now=NOW, body=BODY)
    parsed = read(request(headers), now=NOW)
    assert parsed.key_id == key_id
    verify(parsed, key().public_pem)


def test_the_forgery_that_httpsig_accepts() -> None:
    """A06: an HMAC keyed with the public key fools httpsig's verifier, and never ours."""
    public = key().public_pem
    theirs = HeaderSigner(KEY_ID, public, algorithm="hmac-sha256", headers=COVERED, sign_header="signature")
    forged = dict(theirs.sign(dict(HEADERS), method="POST", path="/ap/inbox"))
    assert httpsig_verifies(forged, public)
    for name in ("hmac-sha256", "rsa-sha256", "hs2019"):
        renamed = {**forged, "signature": forged["signature"].replace("hmac-sha256", name)}
        with pytest.raises(SignatureError):
            verify(read(request(renamed), now=NOW), public)
    unnamed = re.sub(r'algorithm="[^"]*",', "", forged["signature"])
    with pytest.raises(SignatureError):
        verify(read(request({**forged, "signature": unnamed}), now=NOW), public)


def test_signing_keeps_the_key_parsed() -> None:
    """Signing costs little more than the bare RSA operation, with a new inbox each time."""
    whole, bare = 0.0, 0.0
    sign_cavage(signer(), "POST", INBOX, now=NOW, body=BODY)
    for number in range(60):
        start = time.process_time()
        key().sign(b"x" * 250)
        middle = time.process_time()
        sign_cavage(signer(), "POST", f"https://h{number}.example/inbox", now=NOW, body=BODY)
        bare += middle - start
        whole += time.process_time() - middle
    # About 0.9 on a quiet machine; parsing the key each time would make it 0.01.
    assert bare / whole > 0.5


# --------------------------------------------------------------------------- how httpsig is loaded


def run_python(program: str, *flags: str) -> str:
    """A fresh interpreter that turns warnings into errors."""
    command = [sys.executable, "-W", "error", *flags, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.strip()


BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("pkg_resources", "setuptools"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Block())
"""
SIGN = f"""
from datetime import datetime, timezone
from dramafeed.activitypub.signatures import PrivateKey, Signer, sign_cavage
signer = Signer(PrivateKey.from_pem({key().pem()!r}), {KEY_ID!r})
def sign():
    moment = datetime.fromisoformat({NOW.isoformat()!r})
    return sign_cavage(signer, "POST", {INBOX!r}, now=moment, body={BODY!r})["Signature"]
"""


def test_without_setuptools() -> None:
    """httpsig signs on a venv without setuptools, and without any warning."""
    expected = sign_cavage(signer(), "POST", INBOX, now=NOW, body=BODY)["Signature"]
    assert run_python(f"{BLOCK}{SIGN}print(sign())") == expected
    # Optimised Python drops the asserts that httpsig relies on.
    assert run_python(f"{BLOCK}{SIGN}print(sign())", "-O") == expected


def test_nothing_is_left_behind() -> None:
    """Loading httpsig leaves no stand-in under its name, so that others can import the real one."""
    program = f"""{SIGN}
import sys
assert "httpsig" not in sys.modules and "Crypto" not in sys.modules
sign()
assert not [name for name in sys.modules if name.startswith(("httpsig", "pkg_resources"))]
import types
stand_in = sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
stand_in.DistributionNotFound = KeyError
stand_in.get_distribution = lambda name: types.SimpleNamespace(version="1.3.0")
import httpsig
assert httpsig.__version__ == "1.3.0" and httpsig.HeaderSigner is httpsig.sign.HeaderSigner
print(len(sign()) > 300)
"""
    assert run_python(program) == "True"


def test_a_host_that_loaded_httpsig_first() -> None:
    """A host application that imported httpsig itself keeps the module it has."""
    program = f"""
import sys, types
stand_in = sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
stand_in.DistributionNotFound = KeyError
stand_in.get_distribution = lambda name: types.SimpleNamespace(version="1.3.0")
import httpsig
{SIGN}
sign()
print(sys.modules["httpsig"] is httpsig and "pkg_resources" in sys.modules)
"""
    assert run_python(program) == "True"


@pytest.mark.parametrize("module", ["signatures", "transport", "dereference", "vocabulary"])
def test_heavy_libraries_are_loaded_when_used(module: str) -> None:
    """A process that only serves pages or judges signatures loads neither aiohttp nor httpsig."""
    program = f"""
import sys
import dramafeed.activitypub.{module}
print(sorted({{"aiohttp", "Crypto"}} & set(sys.modules)))
"""
    assert run_python(program) == "[]"
