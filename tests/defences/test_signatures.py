"""Who speaks: requests at the inbox of a whole site, signed in every wrong way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ed25519, padding

from dramafeed.activitypub.signatures import sign_cavage, sign_rfc9421
from tests.activitypub.samples import digest
from tests.defences.watch import Watch, watching
from tests.fakes import follow_of, undo_of
from tests.hostile import Server, World, crafted, document, hostile_fediverse
from tests.site import BASE_URL, Site

MINA = f"{BASE_URL}/ap/actors/mina"
BLOG = f"{BASE_URL}/ap/actors/blog"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One world for all: what is refused leaves nothing behind."""
    with hostile_fediverse() as made:
        yield made


@pytest.fixture(scope="module")
def site(world: World) -> Site:
    """One site for all."""
    return world.site()


@pytest.fixture(scope="module")
def ann(world: World, site: Site) -> Server:
    """Somebody who follows already: her key is known."""
    server = world.server()
    site.follow(server)
    return server


@pytest.fixture
def watch(site: Site) -> Iterator[Watch]:
    """What the test before has left is done first."""
    site.turn()
    with watching(site) as made:
        yield made


def signed(server: Server, site: Site, activity: dict[str, Any], **how: Any) -> tuple[bytes, dict[str, str]]:
    """A body and headers, right unless told otherwise."""
    body = json.dumps(activity).encode()
    return body, crafted(server, body, site.clock(), **how)


@pytest.mark.parametrize("path", ["/ap/inbox", "/ap/actors/mina/inbox", "/ap/actors/blog/inbox"])
@pytest.mark.parametrize(
    "change",
    [
        lambda headers: [],
        lambda headers: [(k, v) for k, v in headers.items() if k != "Signature"],
        lambda headers: [(k, v) for k, v in headers.items() if k != "Signature"] + [("Signature", "")],
        lambda headers: [(k, v) for k, v in headers.items() if k != "Signature"] + [("Signature", " ")],
        lambda headers: [("X-Signature" if k == "Signature" else k, v) for k, v in headers.items()],
        lambda headers: [("Authorization" if k == "Signature" else k, v) for k, v in headers.items()],
    ],
    ids=["bare", "left out", "empty", "blank", "misnamed", "in Authorization"],
)
def test_unsigned(site: Site, watch: Watch, ann: Server, path: str, change: Any) -> None:
    """A01: without a signature nothing comes in, at any inbox, for actors known and unknown."""
    stranger = ann.neighbour("stranger")
    for server, activity in ((ann, follow_of(ann, BLOG, 2)), (stranger, follow_of(stranger, MINA))):
        body, headers = signed(server, site, activity, path=path)
        watch.refused(401, "", body, change(headers), path)
    assert ann.gets == ["/users/ann"]


ALGORITHMS = ["hmac-sha256", "HMAC-SHA256", "hs2019", "rsa-sha256", "hmac", None]


def mac(key: str) -> Any:
    """Signs as if this text were a shared secret."""

    def sign(text: bytes) -> bytes:
        made = hmac.HMAC(key.encode(), hashes.SHA256())
        made.update(text)
        return made.finalize()

    return sign


@pytest.mark.parametrize("federate", ["yes", "no"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_mac_with_the_public_key(world: World, tmp_path: Path, algorithm: str | None, federate: str) -> None:
    """A06: what everybody can read is no secret, whatever the algorithm calls itself, federating or not."""
    site = world.site(tmp_path, FEDERATE=federate)
    ann, eve = world.server(), world.server("evil.example")
    site.follow(ann)
    with watching(site) as watch:
        forged: dict[str, Any] = {"parameters": {"algorithm": algorithm}, "sign": mac(ann.key.public_pem)}
        watch.refuses(ann, follow_of(ann, BLOG, 2), 401, "", **forged)
        if algorithm in ("hs2019", "rsa-sha256", None):  # the others do not even get into quarantine
            forged["sign"] = mac(eve.key.public_pem)
            watch.futile(eve, follow_of(eve, MINA), "", **forged)


NEEDED = ("(request-target)", "host", "date", "digest")


@pytest.mark.parametrize(
    "covered", [" ".join(some) for count in range(1, 4) for some in itertools.combinations(NEEDED, count)]
)
def test_signature_over_too_little(site: Site, watch: Watch, ann: Server, covered: str) -> None:
    """A07: target, host, date and digest must all be covered; every smaller set is refused."""
    watch.refuses(ann, follow_of(ann, BLOG, 2), 401, "sign", covered=covered)


def test_every_order_of_a_full_signature_is_taken(site: Site, watch: Watch, ann: Server) -> None:
    """A07: all four in any order are enough."""
    for number, order in enumerate(itertools.permutations(NEEDED), 10):
        body, headers = signed(ann, site, follow_of(ann, BLOG, number), covered=" ".join(order))
        assert watch.knock(body, headers).status_code == 202


@pytest.mark.parametrize(
    "value",
    [
        "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "SHA-256=",
        "SHA-512=z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "MD5=1B2M2Y8AsgTpgAmY7PhCfg==",
        "sha-256",
        "",
        "SHA-256=x,SHA-256=y",
    ],
)
def test_wrong_digests(site: Site, watch: Watch, ann: Server, value: str) -> None:
    """A08: a digest that is not the body's is refused although the signature covers it."""
    watch.refuses(ann, follow_of(ann, BLOG, 2), 401, "igest", headers={"Digest": value})


def test_a_body_that_was_changed(site: Site, watch: Watch, ann: Server) -> None:
    """A08: one byte more than what was signed, or no Digest at all, is refused."""
    body, headers = signed(ann, site, follow_of(ann, BLOG, 2))
    watch.refused(401, "igest", body + b" ", headers)
    del headers["Digest"]
    watch.refused(401, "igest", body, headers)


def test_digests_in_other_spellings(site: Site, watch: Watch, ann: Server) -> None:
    """A08: sha-256 counts in any case and among others."""
    for number, change in enumerate((str.lower, str, "MD5=xyz,{}".format), 10):
        activity = follow_of(ann, BLOG, number)
        right = digest(json.dumps(activity).encode())
        name, _, value = right.partition("=")
        body, headers = signed(ann, site, activity, headers={"Digest": change(f"{name}") + f"={value}"})
        assert watch.knock(body, headers).status_code == 202, headers["Digest"]


@pytest.mark.parametrize("seconds", [-3601, -86400, 301, 86400])
def test_stale_and_future(site: Site, watch: Watch, ann: Server, seconds: int) -> None:
    """A09: more than an hour old, or more than five minutes ahead, is refused."""
    date = format_datetime(site.clock() + timedelta(seconds=seconds), usegmt=True)
    watch.refuses(ann, follow_of(ann, BLOG, 2), 401, "", headers={"Date": date})


@pytest.mark.parametrize(
    "date", ["", "now", "Sun, 31 Feb 2026 12:00:00 GMT", "2026-11-22T12:00:00Z", "1795348800"]
)
def test_unreadable_dates(site: Site, watch: Watch, ann: Server, date: str) -> None:
    """A09: a date that cannot be read is refused, not taken for now."""
    watch.refuses(ann, follow_of(ann, BLOG, 2), 401, "ate", headers={"Date": date})


def test_an_expiry_does_not_stretch_the_window(site: Site, watch: Watch, ann: Server) -> None:
    """A09: (expires) far away does not make an old request a fresh one."""
    now = int(site.clock().timestamp())
    old = {"algorithm": "hs2019", "created": str(now - 7200), "expires": str(now + 10**8)}
    covered = "(request-target) host (created) (expires) digest"
    watch.refuses(ann, follow_of(ann, BLOG, 2), 401, "", covered=covered, parameters=old)


def test_the_edges_of_the_window(site: Site, watch: Watch, ann: Server) -> None:
    """A09: an hour back and five minutes ahead are taken."""
    for number, seconds in enumerate((-3600, 300), 10):
        date = format_datetime(site.clock() + timedelta(seconds=seconds), usegmt=True)
        body, headers = signed(ann, site, follow_of(ann, BLOG, number), headers={"Date": date})
        assert watch.knock(body, headers).status_code == 202


@pytest.mark.parametrize(
    "algorithm", ["rsa-sha512", "ed25519", "ecdsa-sha256", "none", "rsa-sha1", "x" * 500]
)
def test_other_algorithms_are_named(site: Site, watch: Watch, ann: Server, algorithm: str) -> None:
    """A12: an algorithm that is not accepted is refused by its name."""
    watch.refuses(ann, follow_of(ann, BLOG, 2), 401, algorithm[:20], parameters={"algorithm": algorithm})


def test_hs2019_is_what_the_key_is(world: World, site: Site, watch: Watch, ann: Server) -> None:
    """A12: behind `hs2019` or no name, RSA with SHA-256 is taken; SHA-512 and Ed25519 are refused."""
    for number, name in enumerate(("hs2019", None), 10):
        body, headers = signed(ann, site, follow_of(ann, BLOG, number), parameters={"algorithm": name})
        assert watch.knock(body, headers).status_code == 202
    site.turn()
    other = ed25519.Ed25519PrivateKey.generate()
    for sign in (lambda t: ann.key.rsa.sign(t, padding.PKCS1v15(), hashes.SHA512()), other.sign):
        watch.refuses(ann, follow_of(ann, BLOG, 3), 401, "", parameters={"algorithm": "hs2019"}, sign=sign)
    from tests.activitypub.test_keys import ED

    shown = ann.actor_document()
    shown["publicKey"]["publicKeyPem"] = ED
    eve = world.server("evil.example")
    shown = json.loads(json.dumps(shown).replace(ann.origin, eve.origin))
    eve.faults["/users/ann"] = document(shown)
    watch.futile(eve, follow_of(eve, MINA), "not RSA", parameters={"algorithm": "hs2019"}, sign=other.sign)


def test_the_other_form_of_signature(site: Site, watch: Watch, ann: Server) -> None:
    """A12: RFC 9421 is taken with RSA, and refused by name with anything else."""
    body = json.dumps(follow_of(ann, BLOG, 2)).encode()
    headers = sign_rfc9421(ann.signer, "POST", f"{BASE_URL}/ap/inbox", now=site.clock(), body=body)
    other = dict(headers)
    other["Signature-Input"] = headers["Signature-Input"].replace("rsa-v1_5-sha256", "hmac-sha256")
    if "alg=" not in other["Signature-Input"]:
        other["Signature-Input"] += ';alg="hmac-sha256"'
    watch.refused(401, "hmac-sha256", body, other)
    assert watch.knock(body, headers).status_code == 202


def test_queries_in_the_target(site: Site, watch: Watch, ann: Server) -> None:
    """A13: some sign the path with its query and some without; another query is another request."""
    for number, shown in enumerate(("/ap/inbox?a=%C3%A9", "/ap/inbox"), 10):
        body, headers = signed(ann, site, follow_of(ann, BLOG, number), path=shown)
        assert watch.knock(body, headers, "/ap/inbox?a=%C3%A9").status_code == 202
    site.turn()
    body, headers = signed(ann, site, follow_of(ann, BLOG, 20), path="/ap/inbox?a=2")
    watch.refused(401, "", body, headers, "/ap/inbox?a=1")


def test_a_signature_for_another_inbox(site: Site, watch: Watch, ann: Server) -> None:
    """A07: what was signed for one inbox is none for another, nor for another host."""
    body, headers = signed(ann, site, undo_of(ann, follow_of(ann, MINA)), path="/ap/actors/blog/inbox")
    watch.refused(401, "", body, headers, "/ap/actors/mina/inbox")
    elsewhere = sign_cavage(ann.signer, "POST", "https://other.example/ap/inbox", now=site.clock(), body=body)
    watch.refused(401, "", body, elsewhere)
