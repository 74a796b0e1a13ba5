"""Signatures by draft-cavage-http-signatures, the form that every server understands.

Signing goes through httpsig with a key that stays parsed. Judging is our own: httpsig's verifier
lets the sender choose the algorithm (and so forge with the public key), and looks at neither digest
nor date.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import datetime

from cryptography.exceptions import InvalidSignature

from dramafeed.activitypub import addresses
from dramafeed.activitypub.keys import HASH, PADDING, Signer, check_key_id, load_public_key
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

# Named by the sender, but decided by the key: all three mean RSA PKCS#1 v1.5 with SHA-256 here.
_ALGORITHMS = frozenset({"rsa-sha256", "hs2019"})
_PARAMETER = re.compile(r'([A-Za-z]{1,20})=(?:"([^"\\]*+)"|([0-9]{1,12}))[ \t]*+(?:,[ \t]*+|\Z)')
_HEADER_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_TARGET = re.compile(r"[\x21-\x7e]{1,8192}")
_WITH_BODY = ("(request-target)", "host", "date", "digest")
_WITHOUT_BODY = ("(request-target)", "host", "date")


def sign_cavage(
    signer: Signer, method: str, url: str, *, now: datetime, body: bytes | None = None
) -> dict[str, str]:
    """The headers that make a request signed: Host, Date, with a body Digest, and Signature.

    Raises:
        SignatureError: the URL or key id cannot be signed.
    """
    try:
        target = addresses.parse(url)
    except MalformedError as error:
        raise SignatureError(f"{url} cannot be signed: {error}") from error
    headers = {"host": target.authority, "date": http_date(now)}
    if body is not None:
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")
        headers["digest"] = f"SHA-256={digest}"
    covered = _WITHOUT_BODY if body is None else _WITH_BODY
    from dramafeed.activitypub.composer import compose

    signed = compose(
        signer.key,
        signer.key_id,
        covered,
        headers=headers,
        method=method,
        target=target.target,
    )
    return {name.title(): value for name, value in signed.items()}


def read_cavage(request: SignedRequest, *, now: datetime) -> ParsedSignature:
    """Everything about the signature that can be judged without a key.

    Raises:
        SignatureError: with the rule that failed.
    """
    parameters = _parameters(single(request, "signature"))
    algorithm = parameters.get("algorithm")
    if algorithm is not None and algorithm.lower() not in _ALGORITHMS:
        raise SignatureError(f"The algorithm {algorithm[:40]!r} is not accepted; use rsa-sha256.")
    covered = _covered(parameters)
    _check_coverage(request, covered)
    check_host(request)
    _check_times(request, parameters, covered, now)
    if "digest" in request.headers or request.has_body:
        check_digest(request, "digest")
    return ParsedSignature(
        form=Form.CAVAGE,
        key_id=_key_id(parameters),
        signature=_signature(parameters),
        covered=covered,
        messages=_messages(request, parameters, covered),
    )


def verify_cavage(parsed: ParsedSignature, public_key_pem: str) -> None:
    """Checks the signature itself.

    Raises:
        SignatureError: the key is unusable, or none of the possible texts was signed with it.
    """
    key = load_public_key(public_key_pem)
    for message in parsed.messages:
        try:
            key.verify(parsed.signature, message, PADDING, HASH)
        except InvalidSignature:
            continue
        return
    raise SignatureError("The signature does not match the key.")


def _parameters(header: str) -> dict[str, str]:
    # Some old libraries repeat the scheme name of the Authorization header here.
    header = header.removeprefix("Signature ").lstrip(" \t")
    parameters: dict[str, str] = {}
    position = 0
    while position < len(header):
        match = _PARAMETER.match(header, position)
        if match is None:
            raise SignatureError(f"The header signature is malformed at character {position}.")
        name, quoted, number = match.groups()
        if name in parameters:
            raise SignatureError(f"The header signature names {name} twice.")
        parameters[name] = quoted if number is None else number
        position = match.end()
    return parameters


def _covered(parameters: dict[str, str]) -> tuple[str, ...]:
    names = tuple(parameters.get("headers", "").lower().split(" "))
    pseudo = {"(request-target)", "(created)", "(expires)"}
    if not all(name in pseudo or _HEADER_NAME.fullmatch(name) for name in names):
        raise SignatureError("The signature does not list its headers, separated by one blank.")
    if len(set(names)) != len(names):
        raise SignatureError("The signature lists a header twice.")
    return names


def _check_coverage(request: SignedRequest, covered: tuple[str, ...]) -> None:
    required = ["(request-target)", "host"] + (["digest"] if request.has_body else [])
    for name in required:
        if name not in covered:
            raise SignatureError(f"The signature must cover {name}.")
    if "date" not in covered and "(created)" not in covered:
        raise SignatureError("The signature must cover date or (created).")


def _check_times(
    request: SignedRequest, parameters: dict[str, str], covered: tuple[str, ...], now: datetime
) -> None:
    if "date" in covered:
        check_date(request, now)
    if "(created)" in covered:
        if parameters.get("algorithm", "hs2019").lower() != "hs2019":
            raise SignatureError("(created) goes with the algorithm hs2019 only.")
        check_window(_time(parameters, "created"), now, "The creation of the signature")
    if "(expires)" in covered or "expires" in parameters:
        check_not_expired(_time(parameters, "expires"), now)


def _time(parameters: dict[str, str], name: str) -> datetime:
    digits = parameters.get(name, "")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        raise SignatureError(f"The parameter {name} of the signature is not a Unix time.")
    return instant(int(digits))


def _key_id(parameters: dict[str, str]) -> str:
    key_id = parameters.get("keyId")
    if key_id is None:
        raise SignatureError("The signature names no keyId.")
    check_key_id(key_id)
    return key_id


def _signature(parameters: dict[str, str]) -> bytes:
    try:
        return base64.b64decode(parameters.get("signature", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError("The signature is not base64.") from error


def _messages(
    request: SignedRequest, parameters: dict[str, str], covered: tuple[str, ...]
) -> tuple[bytes, ...]:
    """The signed text; also as if there were no query, which some senders leave out."""
    if not _TARGET.fullmatch(request.target):
        raise SignatureError("The request target contains characters that cannot be signed.")
    path = request.target.partition("?")[0]
    return tuple(
        _message(request, parameters, covered, target) for target in dict.fromkeys((request.target, path))
    )


def _message(
    request: SignedRequest, parameters: dict[str, str], covered: tuple[str, ...], target: str
) -> bytes:
    lines = []
    for name in covered:
        if name == "(request-target)":
            value = f"{request.method.lower()} {target}"
        elif name in ("(created)", "(expires)"):
            value = parameters[name[1:-1]]
        else:
            value = combined(request, name)
        lines.append(f"{name}: {value}")
    try:
        return "\n".join(lines).encode("latin-1")
    except UnicodeEncodeError as error:
        raise SignatureError("A signed header contains characters beyond Latin-1.") from error
