"""Signatures by RFC 9421: what is sent, what is accepted, and everything that must be refused."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, algorithms
from http_message_signatures.resolvers import MappingKeyResolver
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.activitypub import rfc9421
from dramafeed.activitypub.signatures import Form, SignedRequest, read, sign_rfc9421, verify
from dramafeed.errors import SignatureError
from tests.activitypub.samples import BODY, KEY_ID, NOW, key, request, signer

INBOX = "https://blog.example/ap/inbox"
CREATED = int(NOW.timestamp())
MASTODON = ("@method", "@target-uri", "content-digest")
FEDIFY = ("@method", "@target-uri", "@authority", "host", "date", "content-digest")


def content_digest(body: bytes) -> str:
    """The value of a Content-Digest header."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


HEADERS = {
    "Host": "blog.example",
    "Date": format_datetime(NOW, usegmt=True),
    "Content-Digest": content_digest(BODY),
    "Content-Type": "application/activity+json",
}


def sign_by_hand(
    covered: tuple[str, ...] = MASTODON,
    *,
    parameters: str | None = None,
    headers: dict[str, str] | None = None,
    derived: dict[str, str] | None = None,
    label: str = "sig1",
    number: int = 0,
) -> dict[str, str]:
    """Headers of a request whose signature base is built here, independently of any library."""
    headers = {**HEADERS, **(headers or {})}
    values = {name.lower(): value for name, value in headers.items()} | {
        "@method": "POST",
        "@target-uri": INBOX,
        "@authority": "blog.example",
        "@scheme": "https",
        "@request-target": "/ap/inbox",
        "@path": "/ap/inbox",
        "@query": "?",
        **(derived or {}),
    }
    if parameters is None:
        parameters = f';created={CREATED};keyid="{KEY_ID}";alg="rsa-v1_5-sha256"'
    signed = "(" + " ".join(f'"{name}"' for name in covered) + ")" + parameters
    lines = [f'"{name}": {values.get(name, "")}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {signed}'])
    signature = base64.b64encode(key(number).sign(base.encode())).decode()
    return {
        **headers,
        "Signature-Input": f"{label}={signed}",
        "Signature": f"{label}=:{signature}:",
    }


def check(headers: dict[str, str], **options: Any) -> None:
    """Both steps of judging, as an inbox takes them."""
    now = options.pop("now", NOW)
    parsed = read(request(headers, **options), now=now)
    assert parsed.form is Form.RFC9421
    assert parsed.key_id == KEY_ID
    verify(parsed, key().public_pem)


def refused(headers: dict[str, str], words: str, **options: Any) -> None:
    """The request is refused, by the rule whose message contains these words."""
    with pytest.raises(SignatureError, match=words):
        check(headers, **options)


# --------------------------------------------------------------------------- what we send


def test_what_we_sign_verifies() -> None:
    """Our own POST passes our own judge; it covers what Mastodon asks for."""
    headers = sign_rfc9421(signer(), "POST", INBOX, now=NOW, body=BODY)
    assert set(headers) == {"Host", "Date", "Content-Digest", "Signature-Input", "Signature"}
    assert headers["Signature-Input"] == (
        'sig1=("@method" "@target-uri" "content-digest")'
        f';created={CREATED};keyid="{KEY_ID}";alg="rsa-v1_5-sha256"'
    )
    check(headers)


def test_what_we_sign_is_what_the_standard_says() -> None:
    """The signature is over the base of RFC 9421 section 2.5, built here by hand."""
    ours = sign_rfc9421(signer(), "POST", INBOX, now=NOW, body=BODY)
    by_hand = sign_by_hand()
    assert ours["Signature-Input"] == by_hand["Signature-Input"]
    assert ours["Signature"] == by_hand["Signature"]
    assert ours["Content-Digest"] == by_hand["Content-Digest"]


def test_gets_are_signed_without_digest() -> None:
    """A GET covers method and target."""
    url = "https://blog.example/ap/x?page=1"
    headers = sign_rfc9421(signer(), "GET", url, now=NOW)
    assert "Content-Digest" not in headers
    check(headers, method="GET", target="/ap/x?page=1", body=b"")


def test_local_addresses_have_their_port() -> None:
    """The target that is signed has the port that is asked."""
    headers = sign_rfc9421(signer(), "POST", "http://127.0.0.1:8000/ap/inbox", now=NOW, body=BODY)
    assert headers["Host"] == "127.0.0.1:8000"
    check(headers, origin="http://127.0.0.1:8000")
    with pytest.raises(SignatureError):
        sign_rfc9421(signer(), "POST", "https://a b/", now=NOW, body=BODY)


# --------------------------------------------------------------------------- the library as oracle


@dataclass
class Message:
    """A request in the shape that http-message-signatures wants."""

    method: str
    url: str
    headers: dict[str, str]


RESOLVER = MappingKeyResolver(
    public_keys={KEY_ID: key().public_pem.encode()}, private_keys={KEY_ID: key().pem().encode()}
)


def test_the_library_accepts_ours() -> None:
    """http-message-signatures verifies, with its own checks, what we sign."""

    class Verifier(HTTPMessageVerifier):
        max_clock_skew = timedelta(days=36500)

    message = Message("POST", INBOX, sign_rfc9421(signer(), "POST", INBOX, now=NOW, body=BODY))
    verifier = Verifier(signature_algorithm=algorithms.RSA_V1_5_SHA256, key_resolver=RESOLVER)
    (result,) = verifier.verify(message, max_age=None, require_components=MASTODON, body=BODY)
    assert result.body == BODY


@pytest.mark.parametrize("covered", [MASTODON, FEDIFY, (*MASTODON, "@scheme", "content-type")])
def test_we_accept_the_library(covered: tuple[str, ...]) -> None:
    """What http-message-signatures signs passes our judge."""
    message = Message("POST", INBOX, dict(HEADERS))
    HTTPMessageSigner(signature_algorithm=algorithms.RSA_V1_5_SHA256, key_resolver=RESOLVER).sign(
        message, key_id=KEY_ID, created=NOW, covered_component_ids=covered, use_existing_digest=True
    )
    check(message.headers)


# --------------------------------------------------------------------------- A07: coverage


@pytest.mark.parametrize(
    "covered",
    [
        MASTODON,
        FEDIFY,
        ("content-digest", "@target-uri", "@method"),
        ("@method", "@authority", "@path", "content-digest"),
        ("@method", "@authority", "@request-target", "content-digest"),
        ("@method", "@authority", "@path", "@query", "@scheme", "content-digest"),
    ],
)
def test_enough_is_covered(covered: tuple[str, ...]) -> None:
    """A07: method, whole target and digest, in any of the ways that say so."""
    check(sign_by_hand(covered))


@pytest.mark.parametrize(
    "covered",
    [
        (),
        ("@method",),
        ("date",),
        ("@target-uri", "content-digest"),
        ("@method", "content-digest"),
        ("@method", "@target-uri"),
        ("@method", "@authority", "content-digest"),
        ("@method", "@path", "content-digest"),
        ("@method", "@request-target", "content-digest"),
        ("@method", "@authority", "@query", "content-digest"),
        ("@method", "host", "@path", "content-digest"),
        ("@method", "@target-uri", "digest"),
    ],
)
def test_too_little_is_covered(covered: tuple[str, ...]) -> None:
    """A07: a POST without method, whole target and digest is refused."""
    refused(sign_by_hand(covered, headers={"Digest": "x"}), "must cover")


def test_the_query_must_be_covered() -> None:
    """A13: with a query, path and host alone are not the whole target."""
    derived = {"@target-uri": f"{INBOX}?a=1", "@query": "?a=1"}
    options = {"target": "/ap/inbox?a=1"}
    check(sign_by_hand(derived=derived), **options)
    check(
        sign_by_hand(("@method", "@authority", "@path", "@query", "content-digest"), derived=derived),
        **options,
    )
    refused(sign_by_hand(("@method", "@authority", "@path", "content-digest")), "cover", **options)
    refused(sign_by_hand(), "does not match", **options)


@pytest.mark.parametrize(
    "covered",
    ["@status", "@signature-params", "@query-param", "@unknown", "x-missing", '@method";req'],
)
def test_other_components(covered: str) -> None:
    """A17: components that no request has, or that take parameters, are refused."""
    refused(sign_by_hand((*MASTODON, covered)), ".")


@pytest.mark.parametrize("component", ['"content-digest";sf', '"date";bs', '"date";key="a"', '"@path";req'])
def test_component_parameters(component: str) -> None:
    """A17: a component with parameters is refused, even where it would add nothing."""
    headers = sign_by_hand()
    headers["Signature-Input"] = headers["Signature-Input"].replace(")", f" {component})", 1)
    refused(headers, "labelled list")


def test_the_target_is_ours_not_the_requests() -> None:
    """A18: @target-uri comes from our own address; a signature for another site is refused."""
    elsewhere = {"@target-uri": "https://evil.example/ap/inbox"}
    refused(sign_by_hand(derived=elsewhere, headers={"Host": "evil.example"}), "not this site")
    refused(sign_by_hand(derived=elsewhere), "does not match")
    refused(sign_by_hand(derived={"@target-uri": "http://blog.example/ap/inbox"}), "does not match")
    refused(sign_by_hand(), "does not match", target="/ap/actors/mina/inbox")
    refused(sign_by_hand(), "does not match", method="PUT")


# --------------------------------------------------------------------------- A08, A09


@pytest.mark.parametrize(
    "value",
    [
        content_digest(b"other"),
        "",
        "sha-256=",
        "sha-256=:",
        "sha-256=::",
        content_digest(BODY).replace(":", ""),
        content_digest(BODY).replace("sha-256", "sha-512"),
        f"{content_digest(BODY)}, {content_digest(BODY)}",
        "sha-256=:****:",
    ],
)
def test_wrong_digests(value: str) -> None:
    """A08: a content digest that is not the body's own is refused although it is signed."""
    refused(sign_by_hand(headers={"Content-Digest": value}), "digest")


def test_digests_in_lists() -> None:
    """A08: sha-256 is found among others; the raw body is what counts."""
    value = f"sha-512=:AAAA:, {content_digest(BODY)}"
    check(sign_by_hand(headers={"Content-Digest": value}))
    refused(sign_by_hand(), "does not match the body", body=BODY + b"x")


@pytest.mark.parametrize("offset", [0, -3600, 300])
def test_inside_the_window(offset: int) -> None:
    """A09: an hour old and five minutes ahead are accepted, with a far or near expiry."""
    for expires in ("", f";expires={CREATED + 10**8}", f";expires={CREATED}"):
        check(sign_by_hand(parameters=f';created={CREATED + offset};keyid="{KEY_ID}"{expires}'))


@pytest.mark.parametrize("offset", [-3601, 301, 10**9, -CREATED, -CREATED - 10, 10**14])
def test_outside_of_the_window(offset: int) -> None:
    """A09: older and later signatures are refused."""
    refused(
        sign_by_hand(parameters=f';created={CREATED + offset};keyid="{KEY_ID}"'),
        "hour old|in the future|out of range",
    )


def test_expiry_and_date() -> None:
    """A09: what its sender calls expired is refused, and so is a covered Date that is stale."""
    refused(
        sign_by_hand(parameters=f';created={CREATED};expires={CREATED - 301};keyid="{KEY_ID}"'),
        "expired",
    )
    stale = {"Date": format_datetime(NOW - timedelta(hours=2), usegmt=True)}
    refused(sign_by_hand(FEDIFY, headers=stale), "hour old")


# --------------------------------------------------------------------------- A12, A17


@pytest.mark.parametrize(
    "algorithm",
    ["rsa-pss-sha512", "ed25519", "hmac-sha256", "ecdsa-p256-sha256", "", "RSA-V1_5-SHA256"],
)
def test_other_algorithms(algorithm: str) -> None:
    """A06, A12: one algorithm is accepted; the others are named in the refusal."""
    parameters = f';created={CREATED};keyid="{KEY_ID}";alg="{algorithm}"'
    refused(sign_by_hand(parameters=parameters), "algorithm")


def test_no_algorithm_name() -> None:
    """A12: without a name, the key decides; a signature of another kind does not match."""
    parameters = f';created={CREATED};keyid="{KEY_ID}"'
    check(sign_by_hand(parameters=parameters))
    headers = sign_by_hand(parameters=parameters)
    pss = key().rsa.sign(b"x", padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())
    headers["Signature"] = f"sig1=:{base64.b64encode(pss).decode()}:"
    refused(headers, "does not match")


GOOD = sign_by_hand()
INPUT = GOOD["Signature-Input"]
SIGNATURE = GOOD["Signature"]
BROKEN_INPUTS = {
    "empty": "",
    "no label": INPUT.removeprefix("sig1="),
    "no list": "sig1",
    "a token": "sig1=abc;created=1",
    "two labels": f"{INPUT}, {INPUT.replace('sig1', 'sig2')}",
    "same label twice": f"{INPUT}, {INPUT}",
    "trailing comma": f"{INPUT},",
    "open list": INPUT.replace(")", ""),
    "tokens in the list": INPUT.replace('"@method"', "@method"),
    "no blank": INPUT.replace('" "', '""'),
    "tab": INPUT.replace('" "', '"\t"'),
    "component twice": INPUT.replace('"@method"', '"@method" "@method"'),
    "no created": INPUT.replace(f";created={CREATED}", ""),
    "created as text": INPUT.replace(f"created={CREATED}", f'created="{CREATED}"'),
    "created as decimal": INPUT.replace(f"created={CREATED}", f"created={CREATED}.0"),
    "created twice": INPUT + f";created={CREATED}",
    "no keyid": INPUT.replace(f';keyid="{KEY_ID}"', ""),
    "keyid twice": INPUT + ';keyid="x"',
    "keyid as number": INPUT.replace(f'keyid="{KEY_ID}"', "keyid=5"),
    "empty keyid": INPUT.replace(KEY_ID, ""),
    "escaped keyid": INPUT.replace(KEY_ID, 'a\\"b'),
    "unknown parameter": INPUT + ";foo=1",
    "flag": INPUT + ";foo",
    "boolean": INPUT + ";tag=?1",
    "capital label": INPUT.replace("sig1", "Sig1"),
    "100 KB": INPUT + ";" * 100_000,
    "many components": "sig1=(" + '"a" ' * 1900 + ")",
    "many blanks": "sig1=(" + " " * 8000,
    "many quotes": "sig1=" + '"' * 8000,
    "many parameters": "sig1=()" + ";a=1" * 1900,
}


@pytest.mark.parametrize("value", BROKEN_INPUTS.values(), ids=BROKEN_INPUTS.keys())
def test_broken_inputs(value: str) -> None:
    """A17: every abuse of the grammar is refused."""
    refused({**GOOD, "Signature-Input": value}, ".")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "sig1",
        "sig1=",
        "sig1=::",
        "sig1=:AAAA:",
        "sig1=:***:",
        "sig1=:A=A:",
        "sig1=AAAA",
        SIGNATURE.replace("sig1", "sig2"),
        f"{SIGNATURE}, {SIGNATURE}",
        SIGNATURE[:-1],
        f"{SIGNATURE};a",
        'keyId="x",headers="date",signature="AAAA"',
    ],
)
def test_broken_signatures(value: str) -> None:
    """A17: a signature that is not the one described is refused."""
    refused({**GOOD, "Signature": value}, ".")


def test_the_draft_does_not_help_a_broken_standard_signature() -> None:
    """A17: with Signature-Input, only RFC 9421 counts."""
    refused({**GOOD, "Signature-Input": "x"}, "labelled list")


@pytest.mark.parametrize("label", ["sig1", "sig-b21", "*", "a.b_c", "pyhms"])
def test_labels(label: str) -> None:
    """The label is free."""
    check(sign_by_hand(label=label))


def test_nonce_and_tag() -> None:
    """Parameters of the standard that we do not use are read and covered."""
    parameters = f';created={CREATED};keyid="{KEY_ID}";nonce="a b";tag="fediverse"'
    check(sign_by_hand(parameters=parameters))


def test_the_wrong_key_does_not_verify() -> None:
    """A02, A16: a signature by somebody else's key, or under an unusable one, is refused."""
    refused(sign_by_hand(number=1), "does not match")
    parsed = read(request(GOOD), now=NOW)
    with pytest.raises(SignatureError, match="readable"):
        verify(parsed, "x")


@pytest.mark.parametrize("name", ["content-digest", "date", "host", "content-type"])
def test_covered_headers_cannot_be_changed(name: str) -> None:
    """A07: a change of any covered header after signing is noticed."""
    headers = sign_by_hand((*FEDIFY, "content-type"))
    changed = {
        "content-digest": content_digest(b"other"),
        "date": format_datetime(NOW - timedelta(seconds=5), usegmt=True),
        "host": "blog.example:443",
        "content-type": "text/plain",
    }
    refused({key_: value for key_, value in headers.items() if key_.lower() != name} | {
        name: changed[name]
    }, "match")  # fmt: skip


@pytest.mark.parametrize("name", ["signature", "signature-input", "host", "content-digest"])
def test_repeated_headers(name: str) -> None:
    """A17: a header that matters and is sent twice is refused."""
    whole = request(GOOD)
    headers = {**whole.headers, name: [*whole.headers[name], *whole.headers[name]]}
    with pytest.raises(SignatureError):
        read(SignedRequest("POST", whole.target, headers, BODY, whole.origin), now=NOW)


def test_two_readings_of_one_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """A17: when the library reads something else than our reader did, nothing is accepted."""
    parsed = read(request(GOOD), now=NOW)
    ours = rfc9421._read_input(INPUT)
    for other in (
        dataclasses.replace(ours, covered=(*ours.covered, "date")),
        dataclasses.replace(ours, parameters={**ours.parameters, "created": CREATED + 1}),
    ):
        monkeypatch.setattr(rfc9421, "_read_input", lambda _header, other=other: other)
        with pytest.raises(SignatureError, match="two ways"):
            verify(parsed, key().public_pem)


PIECES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["sig1=", "(", ")", '"@method"', " ", ";", "created=", str(CREATED), ":", ","])
    | st.sampled_from([INPUT, SIGNATURE, 'keyid="', '"', "\\", "=", "?1", "-9", "*", "\r\n", "\xff"]),
)
VALUES = st.lists(PIECES, max_size=7).map("".join)


@given(
    st.dictionaries(
        st.sampled_from(["signature-input", "signature", "content-digest", "host", "date"]),
        st.lists(VALUES, max_size=2),
        max_size=4,
    ),
    st.sampled_from(["POST", "GET", "post", "x", "", "\n"]),
    st.sampled_from(["/ap/inbox", "/ap/inbox?", "*", "http://x/", "", "/%zz", "/é", "/\n"]),
)
def test_any_request_is_read_or_refused(changes: dict[str, list[str]], method: str, target: str) -> None:
    """A17: no request causes anything but a SignatureError."""
    headers = {**request(GOOD).headers, **changes}
    try:
        parsed = read(SignedRequest(method, target, headers, BODY, "https://blog.example"), now=NOW)
        verify(parsed, key().public_pem)
    except SignatureError:
        return
    assert (method.upper(), target) == ("POST", "/ap/inbox")
