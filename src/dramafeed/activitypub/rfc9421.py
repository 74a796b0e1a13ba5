"""Signatures by RFC 9421 (HTTP Message Signatures), through http-message-signatures.

The header is read twice: first by a strict reader here, which applies every rule that needs no key,
then by the library, whose view of it must agree. Component parameters and several signatures on one
request are not supported; nobody in the fediverse sends them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
)
from http_message_signatures.algorithms import RSA_V1_5_SHA256
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from dramafeed.activitypub import addresses
from dramafeed.activitypub.keys import Signer, check_key_id, load_public_key
from dramafeed.activitypub.signed_request import (
    Form,
    ParsedSignature,
    SignedRequest,
    check_date,
    check_digest,
    check_host,
    check_not_expired,
    check_window,
    combined,
    http_date,
    instant,
    single,
)
from dramafeed.errors import MalformedError, SignatureError

_ALGORITHM = "rsa-v1_5-sha256"
_DERIVED = frozenset(
    {"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"}
)
_LABEL = re.compile(r"([a-z*][a-z0-9_.*-]{0,63})=")
_INNER_LIST = re.compile(r"""\([ ]*+((?:"[a-z0-9@!#$%&'*+.^_`|~-]++"(?:[ ]++|(?=\))))*+)\)""")
_PARAMETER = re.compile(
    r';[ ]*+([a-z*][a-z0-9_.*-]{0,63})=(?:"([\x20\x21\x23-\x5b\x5d-\x7e]*+)"|(-?[0-9]{1,15}))'
)
_SIGNATURE = re.compile(r"([a-z*][a-z0-9_.*-]{0,63})=:([A-Za-z0-9+/=]*+):")
_TEXTS = frozenset({"keyid", "alg", "nonce", "tag"})
_TIMES = frozenset({"created", "expires"})


@dataclass
class _Message:
    """The shape of a request that http-message-signatures works on."""

    method: str
    url: str
    headers: dict[str, str]


class _OneKey(HTTPSignatureKeyResolver):
    """Answers every question with the one key that was chosen already."""

    def __init__(self, key: rsa.RSAPublicKey | rsa.RSAPrivateKey) -> None:
        self._key: Any = key

    def resolve_public_key(self, key_id: str) -> Any:  # noqa: ARG002 - the library's signature
        return self._key

    resolve_private_key = resolve_public_key


class _Verifier(HTTPMessageVerifier):
    """The library's verifier without its clock: times were judged when the request was read."""

    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        pass


@dataclass(frozen=True)
class _Input:
    """The Signature-Input header: what was signed, and how."""

    label: str
    covered: tuple[str, ...]
    parameters: dict[str, str | int]


def sign_rfc9421(
    signer: Signer, method: str, url: str, *, now: datetime, body: bytes | None = None
) -> dict[str, str]:
    """The headers that make a request signed: Host, Date, Signature-Input, Signature, and with a
    body Content-Digest.

    Raises:
        SignatureError: the URL cannot be signed.
    """
    covered = ["@method", "@target-uri"]
    try:
        target = addresses.parse(url)
        headers = {
            "Host": target.authority,
            "Date": http_date(now),
        }
        if body is not None:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")
            headers["Content-Digest"] = f"sha-256=:{digest}:"
            covered.append("content-digest")
        message = _Message(method.upper(), target.url, headers)
        HTTPMessageSigner(signature_algorithm=RSA_V1_5_SHA256, key_resolver=_OneKey(signer.key.rsa)).sign(
            message,
            key_id=signer.key_id,
            created=now,
            label="sig1",
            covered_component_ids=covered,
            use_existing_digest=body is not None,
        )
    except (MalformedError, HTTPMessageSignaturesException) as error:
        raise SignatureError(f"{url} cannot be signed: {error}") from error
    return headers


def read_rfc9421(request: SignedRequest, *, now: datetime) -> ParsedSignature:
    """Everything about the signature that can be judged without a key.

    Raises:
        SignatureError: with the rule that failed.
    """
    signed = _read_input(single(request, "signature-input"))
    algorithm = signed.parameters.get("alg", _ALGORITHM)
    if algorithm != _ALGORITHM:
        raise SignatureError(f"The algorithm {algorithm!r} is not accepted; use {_ALGORITHM}.")
    _check_coverage(request, signed.covered)
    check_host(request)
    _check_times(request, signed, now)
    if "content-digest" in request.headers or request.has_body:
        check_digest(request, "content-digest")
    key_id = signed.parameters.get("keyid")
    if not isinstance(key_id, str):
        raise SignatureError("The signature names no keyid.")
    check_key_id(key_id)
    return ParsedSignature(
        form=Form.RFC9421,
        key_id=key_id,
        signature=_read_signature(single(request, "signature"), signed.label),
        covered=signed.covered,
        request=request,
    )


def verify_rfc9421(parsed: ParsedSignature, public_key_pem: str) -> None:
    """Checks the signature itself.

    Raises:
        SignatureError: the key is unusable, the signature is not its, or the library read something
            else in the request than `read_rfc9421` did.
    """
    request = parsed.request
    assert request is not None
    names = {name for name in parsed.covered if not name.startswith("@")}
    headers = {name: combined(request, name) for name in {*names, "signature-input", "signature"}}
    message = _Message(request.method.upper(), _our_url(request), headers)
    verifier = _Verifier(
        signature_algorithm=RSA_V1_5_SHA256, key_resolver=_OneKey(load_public_key(public_key_pem))
    )
    try:
        (result,) = verifier.verify(message, max_age=None)
    except (HTTPMessageSignaturesException, ValueError) as error:
        raise SignatureError("The signature does not match the key.") from error
    ours = _read_input(single(request, "signature-input"))
    theirs = tuple(name.strip('"') for name in result.covered_components)
    if theirs != (*ours.covered, "@signature-params") or result.parameters != ours.parameters:
        raise SignatureError("The header signature-input can be read in two ways.")


def _our_url(request: SignedRequest) -> str:
    """The URL that the sender must have meant, from our own address and the requested path."""
    return f"{addresses.parse(request.origin).origin}{request.target}"


def _read_input(header: str) -> _Input:
    label = _LABEL.match(header)
    inner = label and _INNER_LIST.match(header, label.end())
    if label is None or inner is None:
        raise SignatureError("The header signature-input is not one labelled list of components.")
    covered = tuple(name.strip('"') for name in inner[1].split())
    if len(set(covered)) != len(covered):
        raise SignatureError("The signature lists a component twice.")
    parameters: dict[str, str | int] = {}
    position = inner.end()
    while position < len(header):
        match = _PARAMETER.match(header, position)
        if match is None:
            raise SignatureError(f"The header signature-input is malformed at {position}.")
        name, text, number = match.groups()
        if name in parameters or name not in (_TEXTS if number is None else _TIMES):
            raise SignatureError(f"The parameter {name} of the signature is repeated or unknown.")
        parameters[name] = text if number is None else int(number)
        position = match.end()
    return _Input(label[1], covered, parameters)


def _read_signature(header: str, label: str) -> bytes:
    match = _SIGNATURE.fullmatch(header)
    if match is None or match[1] != label:
        raise SignatureError("The header signature is not the one that signature-input describes.")
    try:
        return base64.b64decode(match[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError("The signature is not base64.") from error


def _check_coverage(request: SignedRequest, covered: tuple[str, ...]) -> None:
    unknown = [name for name in covered if name.startswith("@") and name not in _DERIVED]
    if unknown:
        raise SignatureError(f"The component {unknown[0]} is not supported.")
    if "@method" not in covered:
        raise SignatureError("The signature must cover @method.")
    if not _covers_target(covered, has_query="?" in request.target):
        raise SignatureError("The signature must cover @target-uri.")
    if request.has_body and "content-digest" not in covered:
        raise SignatureError("The signature must cover content-digest.")


def _covers_target(covered: tuple[str, ...], *, has_query: bool) -> bool:
    """True when host, path and query are signed, in one piece or in several."""
    if "@target-uri" in covered:
        return True
    path = "@request-target" in covered or ("@path" in covered and ("@query" in covered or not has_query))
    return "@authority" in covered and path


def _check_times(request: SignedRequest, signed: _Input, now: datetime) -> None:
    created, expires = signed.parameters.get("created"), signed.parameters.get("expires")
    if not isinstance(created, int):
        raise SignatureError("The signature does not say when it was created.")
    check_window(instant(created), now, "The creation of the signature")
    if isinstance(expires, int):
        check_not_expired(instant(expires), now)
    if "date" in signed.covered:
        check_date(request, now)
