"""Signatures by the draft: what is sent, what is accepted, and everything that must be refused."""

from __future__ import annotations

import base64
import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dramafeed.activitypub.signatures import (
    Form,
    SignedRequest,
    Signer,
    read,
    sign_cavage,
    verify,
)
from dramafeed.errors import SignatureError
from tests.activitypub.samples import BODY, KEY_ID, NOW, digest, key, request, signer

INBOX = "https://blog.example/ap/inbox"
COVERED = "(request-target) host date digest"
DATE = format_datetime(NOW, usegmt=True)
TEXT = "\n".join(
    [
        "(request-target): post /ap/inbox",
        "host: blog.example",
        f"date: {DATE}",
        f"digest: {digest(BODY)}",
    ]
).encode()
HEADERS = {"Host": "blog.example", "Date": DATE, "Digest": digest(BODY)}


def sign_by_hand(
    covered: str = COVERED,
    *,
    headers: dict[str, str] | None = None,
    target: str = "post /ap/inbox",
    parameters: dict[str, str | None] | None = None,
    number: int = 0,
) -> dict[str, str]:
    """Headers of a request that is signed exactly as told, right or wrong."""
    headers = {**HEADERS, **(headers or {})}
    given_parameters = {"keyId": KEY_ID, "algorithm": "rsa-sha256", **(parameters or {})}
    values = {name.lower(): value for name, value in headers.items()}
    values |= {"(request-target)": target}
    values |= {f"({name})": str(value) for name, value in given_parameters.items()}
    text = "\n".join(f"{name}: {values.get(name, '')}" for name in covered.split(" "))
    signature = base64.b64encode(key(number).sign(text.encode("latin-1"))).decode()
    given_parameters = {**given_parameters, "headers": covered, "signature": signature}
    given_parameters |= parameters or {}
    shown = [f'{name}="{value}"' for name, value in given_parameters.items() if value is not None]
    return {**headers, "Signature": ",".join(shown)}


def check(headers: dict[str, str], *, now: datetime = NOW, **options: Any) -> None:
    """Both steps of judging, as an inbox takes them."""
    parsed = read(request(headers, **options), now=now)
    assert parsed.form is Form.CAVAGE
    assert parsed.key_id == KEY_ID
    verify(parsed, key().public_pem)


def refused(headers: dict[str, str], words: str, **options: Any) -> None:
    """The request is refused, by the rule whose message contains these words."""
    with pytest.raises(SignatureError, match=words):
        check(headers, **options)


def test_what_we_sign_verifies() -> None:
    """Our own POST passes our own judge, digest and all."""
    headers = sign_cavage(signer(), "POST", INBOX, now=NOW, body=BODY)
    assert set(headers) == {"Host", "Date", "Digest", "Signature"}
    check(headers)


def test_gets_are_signed_without_digest() -> None:
    """A GET covers target, host and date; a fresh date each time is the caller's `now`."""
    headers = sign_cavage(signer(), "GET", "https://blog.example/ap/x?page=1", now=NOW)
    assert headers["Date"] == DATE
    assert "Digest" not in headers
    check(headers, method="GET", target="/ap/x?page=1", body=b"")


@pytest.mark.parametrize(
    "url, host",
    [
        ("https://Social.Example/inbox", "social.example"),
        ("https://social.example:443/inbox", "social.example"),
        ("http://127.0.0.1:8000/inbox", "127.0.0.1:8000"),
        ("http://[::1]:8000/inbox", "[::1]:8000"),
    ],
)
def test_host_has_the_port_if_it_is_not_the_usual_one(url: str, host: str) -> None:
    """The signed Host is the one that the connection will really name."""
    assert sign_cavage(signer(), "POST", url, now=NOW, body=BODY)["Host"] == host


def test_unsignable_urls_and_key_ids_are_refused() -> None:
    """Nothing that could break out of a header is ever written into one."""
    with pytest.raises(SignatureError):
        sign_cavage(signer(), "POST", "https://a b/", now=NOW, body=BODY)
    for key_id in ('https://a.example/"x', "https://a.example/\\", "https://a.example/\n", "", "é"):
        with pytest.raises(SignatureError):
            Signer(key(), key_id)


# --------------------------------------------------------------------------- A06, A12: algorithms


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "RSA-SHA256", "hs2019", None])
def test_rsa_by_any_of_its_names(algorithm: str | None) -> None:
    """A12: rsa-sha256, hs2019 and no name at all are RSA with SHA-256."""
    check(sign_by_hand(parameters={"algorithm": algorithm}))


ODD_ALGORITHMS = [
    "hmac-sha256",
    "hmac-sha512",
    "rsa-sha1",
    "rsa-sha512",
    "ed25519",
    "none",
    "",
    "*",
]


@pytest.mark.parametrize("algorithm", ODD_ALGORITHMS)
def test_other_algorithms_are_refused(algorithm: str) -> None:
    """A12: an algorithm that is not accepted is named in the refusal, never an error of ours."""
    refused(sign_by_hand(parameters={"algorithm": algorithm}), "algorithm")


@pytest.mark.parametrize("algorithm", [*ODD_ALGORITHMS, "rsa-sha256", "hs2019", None])
def test_a_public_key_is_no_secret(algorithm: str | None) -> None:
    """A06: a MAC keyed with the public key is refused under every algorithm name."""
    headers = sign_by_hand(parameters={"algorithm": algorithm})
    mac = hmac.HMAC(key().public_pem.encode(), hashes.SHA256())
    mac.update(TEXT)
    forged = base64.b64encode(mac.finalize()).decode()
    start = headers["Signature"].index('signature="')
    headers["Signature"] = headers["Signature"][:start] + f'signature="{forged}"'
    refused(headers, "algorithm|does not match")


@pytest.mark.parametrize(
    "hash_type",
    [hashes.SHA1(), hashes.SHA512()],  # noqa: S303 - to be refused
)
def test_other_hashes_are_refused(hash_type: hashes.HashAlgorithm) -> None:
    """A12: RSA with another hash does not match, whatever it calls itself."""
    headers = sign_by_hand(parameters={"algorithm": "hs2019"})
    signature = key().rsa.sign(TEXT, padding.PKCS1v15(), hash_type)
    start = headers["Signature"].index('signature="')
    encoded = base64.b64encode(signature).decode()
    headers["Signature"] = headers["Signature"][:start] + f'signature="{encoded}"'
    refused(headers, "does not match")


# --------------------------------------------------------------------------- A07: coverage

REQUIRED = ["(request-target)", "host", "date", "digest"]
SUBSETS = [subset for size in range(5) for subset in itertools.combinations(REQUIRED, size) if size < 4]


@pytest.mark.parametrize("subset", SUBSETS)
def test_a_post_must_cover_everything(subset: tuple[str, ...]) -> None:
    """A07: no proper subset of target, host, date and digest is enough for a POST."""
    covered = " ".join(subset) or "content-type"
    refused(sign_by_hand(covered, headers={"Content-Type": "x"}), "must cover")


@pytest.mark.parametrize("subset", SUBSETS)
def test_a_get_must_cover_target_host_and_date(subset: tuple[str, ...]) -> None:
    """A07: a GET needs no digest, but everything else."""
    covered = " ".join(subset) or "content-type"
    headers = sign_by_hand(covered, headers={"Content-Type": "x"}, target="get /ap/inbox")
    headers["Digest"] = digest(b"")
    if set(subset) == {"(request-target)", "host", "date"}:
        check(headers, method="GET", body=b"")
    else:
        refused(headers, "must cover", method="GET", body=b"")


def test_without_a_list_only_the_date_is_signed() -> None:
    """A07: the draft's default list is not enough."""
    refused(sign_by_hand(parameters={"headers": None}), "list|cover")


def test_more_headers_may_be_covered() -> None:
    """A07: further headers count as they were sent, in any order and case of the list."""
    extra = {"Content-Type": "application/activity+json", "X-Two": "b"}
    check(sign_by_hand(f"content-type {COVERED} x-two", headers=extra))
    headers = sign_by_hand()
    headers["Signature"] = headers["Signature"].replace("host date", "Host Date")
    check(headers)
    refused(sign_by_hand(f"{COVERED} x-missing"), "x-missing is signed but missing")


@pytest.mark.parametrize("value", ["한", "a\nb: c", "x" * 9000])
def test_headers_that_cannot_be_signed(value: str) -> None:
    """A17: a covered header beyond one line of Latin-1 is refused."""
    headers = sign_by_hand(f"{COVERED} x-two", headers={"X-Two": "a"})
    refused({**headers, "X-Two": value}, "Latin-1|spans lines")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_every_other_method_counts_as_one_with_a_body(method: str) -> None:
    """A07: what is not GET or HEAD needs a digest."""
    refused(sign_by_hand("(request-target) host date"), "digest", method=method)


@pytest.mark.parametrize("name", ["Host", "Date", "Digest", "Content-Type"])
def test_covered_headers_cannot_be_changed(name: str) -> None:
    """A07: a change of any covered header after signing is noticed."""
    other = format_datetime(NOW - timedelta(seconds=5), usegmt=True)
    changed = {"Host": "www.blog.example", "Date": other, "Content-Type": "b", "Digest": "x=y"}
    headers = sign_by_hand(f"{COVERED} content-type", headers={"Content-Type": "a"})
    headers[name] = changed[name]
    refused(headers, ".", allowed_hosts=frozenset({"www.blog.example"}))


# --------------------------------------------------------------------------- A08: digest

BAD_DIGESTS = {
    "other body": digest(b"other"),
    "empty": "",
    "no algorithm": base64.b64encode(b"x" * 32).decode(),
    "sha-512 only": "SHA-512=" + base64.b64encode(b"x" * 64).decode(),
    "md5 only": "MD5=1B2M2Y8AsgTpgAmY7PhCfg==",
    "twice": f"{digest(BODY)},{digest(BODY)}",
    "right and wrong": f"{digest(BODY)},{digest(b'other')}",
    "wrong and right": f"{digest(b'other')},{digest(BODY)}",
    "truncated": digest(BODY)[:-4],
    "not base64": "SHA-256=****",
    "hex": "SHA-256=" + "00" * 32,
    "inner blanks": digest(BODY)[:20] + " " + digest(BODY)[20:],
    "garbage": "\x7f" * 50,
}


@pytest.mark.parametrize("value", BAD_DIGESTS.values(), ids=BAD_DIGESTS.keys())
def test_wrong_digests(value: str) -> None:
    """A08: a digest that is not the body's own is refused although it is signed."""
    refused(sign_by_hand(headers={"Digest": value}), "digest")


@pytest.mark.parametrize(
    "value",
    [
        digest(BODY),
        digest(BODY).replace("SHA-256", "sha-256"),
        digest(BODY).replace("SHA-256", "Sha-256"),
        f"MD5=1B2M2Y8AsgTpgAmY7PhCfg==, {digest(BODY)}",
        f"{digest(BODY)},SHA-512=abcd",
    ],
)
def test_right_digests(value: str) -> None:
    """A08: sha-256 is found in a list and in any case."""
    check(sign_by_hand(headers={"Digest": value}))


def test_the_raw_body_is_hashed() -> None:
    """A08: one changed byte of the body is noticed, also in a GET that sends a digest."""
    refused(sign_by_hand(), "does not match the body", body=BODY + b" ")
    headers = sign_by_hand("(request-target) host date", target="get /ap/inbox")
    refused(headers, "does not match the body", method="GET", body=b"smuggled")
    headers = sign_by_hand()
    del headers["Digest"]
    refused(headers, "digest")


# --------------------------------------------------------------------------- A09: time


@pytest.mark.parametrize("seconds", [0, -3599, -3600, 299, 300])
def test_dates_inside_the_window(seconds: int) -> None:
    """A09: an hour old and five minutes ahead are accepted."""
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    check(sign_by_hand(headers={"Date": date}))


@pytest.mark.parametrize("seconds", [-3601, -86400, -400_000_000, 301, 86400, 400_000_000])
def test_dates_outside_of_the_window(seconds: int) -> None:
    """A09: older and later dates are refused."""
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    refused(sign_by_hand(headers={"Date": date}), "hour old|in the future")


@pytest.mark.parametrize(
    "date",
    [
        "",
        "now",
        "0",
        "Sun, 99 Mar 2026 12:00:00 GMT",
        "Sun, 01 Mar 2026 99:00:00 GMT",
        "1e9",
        "\x00",
        "Sun, 01 Mar 99999 12:00:00 GMT",
        "Sun, 01 Mar 2026 12:00:00 +9999999",
        "x" * 9000,
        ",,,",
        f"{DATE}, {DATE}",
        "Sun, 01 Mar -2026 12:00:00 GMT",
    ],
)
def test_dates_that_are_none(date: str) -> None:
    """A09: a date that cannot be read is refused."""
    refused(sign_by_hand(headers={"Date": date}), "date")


def created(offset: int, **parameters: str | None) -> dict[str, str]:
    """A request that is signed with (created) instead of Date."""
    moment = str(int(NOW.timestamp()) + offset)
    return sign_by_hand(
        "(request-target) host (created) digest",
        parameters={"algorithm": "hs2019", "created": moment, **parameters},
    )


@pytest.mark.parametrize("offset", [0, -3600, 300])
def test_created_may_stand_for_the_date(offset: int) -> None:
    """A09: (created) goes with hs2019, or with no algorithm name, inside the same window."""
    check(created(offset))
    check(created(offset, algorithm=None))
    headers = created(offset)
    headers["Signature"] = headers["Signature"].replace(
        f'created="{int(NOW.timestamp()) + offset}"', f"created={int(NOW.timestamp()) + offset}"
    )
    check(headers)


@pytest.mark.parametrize("offset", [-3601, 301, 10**9])
def test_created_outside_of_the_window(offset: int) -> None:
    """A09: (created) is judged as a Date is."""
    refused(created(offset), "hour old|in the future")


@pytest.mark.parametrize("value", ["", "x", "-5", "1.5", "9" * 13, "1e9", None])
def test_created_that_is_no_time(value: str | None) -> None:
    """A09: (created) must be a Unix time."""
    refused(created(0, created=value), "created|malformed")


def test_created_needs_hs2019() -> None:
    """A09: with rsa-sha256, (created) is not defined."""
    refused(created(0, algorithm="rsa-sha256"), "hs2019")


def test_expiry() -> None:
    """A09: what its sender calls expired is refused; a far expiry does not lengthen the window."""
    now = int(NOW.timestamp())
    check(created(0, expires=str(now + 60)))
    check(created(0, expires=str(now - 299)))
    refused(created(0, expires=str(now - 301)), "expired")
    refused(created(-3601, expires=str(now + 10**8)), "hour old")
    refused(created(0, expires="soon"), "expires")


# --------------------------------------------------------------------------- A13: target


def test_the_query_may_be_left_out_of_the_target() -> None:
    """A13: some sign the path with its query, some without; nobody may sign another."""
    whole = sign_by_hand("(request-target) host date", target="get /ap/x?page=1")
    bare = sign_by_hand("(request-target) host date", target="get /ap/x")
    for headers in (whole, bare):
        del headers["Digest"]
        check(headers, method="GET", target="/ap/x?page=1", body=b"")
    refused(whole, "does not match", method="GET", target="/ap/x?page=2", body=b"")
    refused(whole, "does not match", method="GET", target="/ap/x", body=b"")
    refused(bare, "does not match", method="GET", target="/ap/y", body=b"")


def test_method_and_path_are_signed() -> None:
    """A07: a signature for one inbox or method is none for another."""
    refused(sign_by_hand(), "does not match", target="/ap/actors/mina/inbox")
    refused(sign_by_hand(), "does not match", method="PUT")


@pytest.mark.parametrize("target", ["", "/ap/in box", "/ap/\n", "/ap/é", "/" + "x" * 9000])
def test_odd_targets(target: str) -> None:
    """A17: a target that cannot be written on one line is refused."""
    refused(sign_by_hand(), "target", target=target)


# --------------------------------------------------------------------------- A17: grammar

GOOD = sign_by_hand()["Signature"]


def test_the_scheme_name_is_skipped() -> None:
    """A17: old libraries begin the header with the name of the scheme."""
    check({**sign_by_hand(), "Signature": f"Signature {GOOD}"})
    check({**sign_by_hand(), "Signature": GOOD.replace(",", " , ")})


BROKEN = {
    "empty": "",
    "word": "x",
    "prefix alone": "Signature ",
    "prefix twice": f"Signature Signature {GOOD}",
    "duplicate keyId": f'{GOOD},keyId="https://evil.example/k"',
    "duplicate signature": f'signature="AAAA",{GOOD}',
    "duplicate headers": f'headers="date",{GOOD}',
    "open quote": GOOD[:-1],
    "text after a value": GOOD.replace('",', '"x,', 1),
    "no comma": GOOD.replace('",', '" ', 1),
    "leading comma": f",{GOOD}",
    "escaped quote": GOOD.replace('keyId="', 'keyId="\\"', 1),
    "unquoted": GOOD.replace('"', ""),
    "equals alone": "=,=,=",
    "100 KB": 'a="' + "x" * 100_000 + '"',
    "many": ",".join(f'p{letter}="x"' for letter in "abc" * 3000),
    "blanks": " " * 8000,
    "commas": "," * 8000,
    "quotes": '"' * 8000,
    "half parameters": "a=" * 4000,
    "no signature": GOOD.partition(',headers="')[0],
    "no key": GOOD.replace("keyId", "keyid"),
    "empty key": GOOD.replace(KEY_ID, ""),
    "bad base64": GOOD[:-10] + '***"',
    "empty signature": GOOD.partition('signature="')[0] + 'signature=""',
    "short signature": GOOD.partition('signature="')[0] + 'signature="AAAA"',
    "two blanks": GOOD.replace("host date", "host  date"),
    "tab": GOOD.replace("host date", "host\tdate"),
    "header twice": GOOD.replace("host date", "host host date"),
    "odd header": GOOD.replace("host date", "host da:te date"),
    "unknown pseudo": GOOD.replace("host date", "host (foo) date"),
    "trailing blank": GOOD.replace("digest", "digest "),
    "no headers": GOOD.replace(COVERED, ""),
}


@pytest.mark.parametrize("value", BROKEN.values(), ids=BROKEN.keys())
def test_broken_headers(value: str) -> None:
    """A17: every abuse of the grammar is refused."""
    refused({**sign_by_hand(), "Signature": value}, ".")


@pytest.mark.parametrize("name", ["signature", "host", "date", "digest"])
def test_repeated_and_missing_headers(name: str) -> None:
    """A01, A17: each header that matters is there exactly once."""
    whole = request(sign_by_hand())
    for values in ([], [*whole.headers[name], *whole.headers[name]]):
        headers = {**whole.headers, name: values}
        with pytest.raises(SignatureError):
            read(SignedRequest("POST", whole.target, headers, BODY, whole.origin), now=NOW)
    headers = {other: values for other, values in whole.headers.items() if other != name}
    with pytest.raises(SignatureError):
        read(SignedRequest("POST", whole.target, headers, BODY, whole.origin), now=NOW)


# --------------------------------------------------------------------------- A18: host


@pytest.mark.parametrize("host", ["blog.example", "Blog.Example", "blog.example:443", "blog.example."])
def test_our_own_name(host: str) -> None:
    """A18, A24: our host may be spelt in other ways."""
    check(sign_by_hand(headers={"Host": host}))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "blog.example:8443", "blog.example.evil.example", "u@blog.example", "a b"],
)
def test_requests_for_others(host: str) -> None:
    """A18: a signature that was made for another server is refused here, whatever else was sent."""
    forwarded = {"X-Forwarded-Host": "blog.example", "Forwarded": "host=blog.example"}
    refused({**sign_by_hand(headers={"Host": host}), **forwarded}, "not this site|host")
    refused({**sign_by_hand(), "X-Forwarded-Host": host, "Host": "evil.example"}, "not this site")


def test_further_names_can_be_allowed() -> None:
    """A18: only the caller can name other authorities at which we answer."""
    headers = sign_by_hand(headers={"Host": "example.org"})
    check(headers, allowed_hosts=frozenset({"Example.org:443"}))
    refused(headers, "not this site", allowed_hosts=frozenset({"example.com"}))


def test_local_sites_have_a_port() -> None:
    """A24: with a port in our address, the port is part of the host."""
    headers = sign_by_hand(headers={"Host": "127.0.0.1:8000"})
    check(headers, origin="http://127.0.0.1:8000")
    refused(headers, "not this site", origin="http://127.0.0.1:8001")


# --------------------------------------------------------------------------- any input at all

NAMES = st.sampled_from(["signature", "host", "date", "digest", "x-a", "signature-input"])
PIECES = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            GOOD,
            'keyId="x"',
            ",",
            '"',
            "=",
            COVERED,
            DATE,
            digest(BODY),
            "blog.example",
            "sha-256=",
            'algorithm="hs2019"',
            'created="99999999999"',
            "(created)",
            "\r\n",
            "ÿ",
        ]
    ),
)
VALUES = st.lists(PIECES, max_size=5).map("".join)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(NAMES, st.lists(VALUES, max_size=2), max_size=5),
    st.sampled_from(["POST", "GET", "x", ""]),
    st.text(max_size=20),
    st.binary(max_size=20),
)
def test_any_request_is_read_or_refused(
    changes: dict[str, list[str]], method: str, target: str, body: bytes
) -> None:
    """A17: no request causes anything but a SignatureError."""
    headers = {**request(sign_by_hand()).headers, **changes}
    try:
        parsed = read(SignedRequest(method, target, headers, body, "https://blog.example"), now=NOW)
        verify(parsed, key().public_pem)
    except SignatureError:
        return


def test_the_clock_is_an_argument() -> None:
    """Judging later what arrived earlier uses the time of arrival."""
    headers = sign_by_hand()
    check(headers, now=NOW)
    refused(headers, "hour old", now=datetime.now(UTC) + timedelta(days=36500))
