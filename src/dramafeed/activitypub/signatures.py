"""The front of everything about signatures: which form a request uses, and who judges it.

Judging has two steps, so that an inbox can refuse most nonsense without knowing any key: `read`
checks form, algorithm, covered headers, host, digest and age, and says whose key is needed;
`verify` checks the signature with it. Every refusal is a `SignatureError`. Will not fetch keys or
decide who may do what.
"""

from __future__ import annotations

from datetime import datetime

from dramafeed.activitypub.cavage import read_cavage, sign_cavage, verify_cavage
from dramafeed.activitypub.keys import PrivateKey, Signer
from dramafeed.activitypub.rfc9421 import read_rfc9421, sign_rfc9421, verify_rfc9421
from dramafeed.activitypub.signed_request import Form, ParsedSignature, SignedRequest

__all__ = [
    "Form",
    "ParsedSignature",
    "PrivateKey",
    "SignedRequest",
    "Signer",
    "read",
    "sign_cavage",
    "sign_rfc9421",
    "verify",
]


def read(request: SignedRequest, *, now: datetime) -> ParsedSignature:
    """The signature of a request, after every check that needs no key.

    A request that was stored is judged with the time of its arrival as `now`.

    Raises:
        SignatureError: with the rule that failed.
    """
    if "signature-input" in request.headers:
        return read_rfc9421(request, now=now)
    return read_cavage(request, now=now)


def verify(parsed: ParsedSignature, public_key_pem: str) -> None:
    """Checks that the owner of a public key signed the request.

    Raises:
        SignatureError: the key is unusable or the signature is not its.
    """
    if parsed.form is Form.RFC9421:
        verify_rfc9421(parsed, public_key_pem)
    else:
        verify_cavage(parsed, public_key_pem)
