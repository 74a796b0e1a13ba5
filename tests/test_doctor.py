"""`dramafeed doctor`: each thing that can be wrong between a site and other servers gives its own sentence.

The site is real; `Outside` stands where the network, the proxy and the certificate would be, and breaks one
of them at a time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dramafeed import doctor, server
from dramafeed.activitypub.transport import Observation
from dramafeed.doctor import Finding, Mark
from dramafeed.errors import ForbiddenAddressError, TransportError
from tests.fakes import RemoteServer
from tests.site import BASE_URL, Site

Fault = Callable[["Outside", str, str, dict[str, str]], Observation | None]
HTML = {"content-type": "text/html; charset=utf-8"}


class Outside:
    """The way to the site: DNS, TLS and a proxy, all well unless a fault is put in."""

    def __init__(self, site: Site, fault: Fault | None = None) -> None:
        self.site = site
        self.fault = fault
        self.host = ""  # the Host header that the proxy makes of the right one
        self.days = 60
        self.body = b""  # of the present request
        self.drift = 0.0  # seconds that the clock of the others is ahead

    async def observe(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Observation:
        """One request through the proxy."""
        given, self.body = dict(headers or {}), body or b""
        found = self.fault(self, method, url, given) if self.fault else None
        if found is None and url.startswith("http://"):
            found = answer(url, 301, location=url.replace("http://", "https://"))
        return found or self.through(method, url, given, body)

    def through(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Observation:
        """What the site itself says."""
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        base = f"https://{self.host or parts.netloc}"
        given = {k: v for k, v in headers.items() if k.lower() != "host"}
        response = self.site.http.open(path, method=method, headers=given, data=body, base_url=base)
        named = {name.lower(): value for name, value in response.headers.items()}
        named["date"] = format_datetime(self.site.clock() + timedelta(seconds=self.drift), usegmt=True)
        end = self.site.clock() + timedelta(days=self.days)
        return Observation(url, response.status_code, named, response.data, end)


def answer(url: str, status: int, body: bytes = b"<h1>No</h1>", **headers: str) -> Observation:
    """What a proxy says by itself."""
    return Observation(url, status, {**HTML, **headers}, body)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with one author and one review, that waits for the doctor."""
    made = Site(tmp_path, FEDERATE="auto")
    made.author()
    made.review("first")
    made.run(6)
    yield made
    made.close()


def looked(site: Site, outside: Outside) -> list[Finding]:
    """Every finding, from outside and from inside."""
    patient = doctor.patient_of(site.settings, site.store)
    found = asyncio.run(doctor.examine(patient, outside, site.clock))
    return found + doctor.look_inside(site.settings, site.store, site.clock())


def test_a_well_site_passes_and_may_federate_from_then_on(site: Site) -> None:
    """Nothing wrong: the gate opens, and what waits is told; before, nothing leaves."""
    server_of_ann = site.fediverse.server()
    site.follow(server_of_ann)
    site.run(30)
    assert server_of_ann.accepted == []
    found = looked(site, Outside(site))
    assert [finding.mark for finding in found] == [Mark.FINE] * len(found)
    assert len(found) >= 7
    assert doctor.conclude(site.settings, site.store, found)
    site.run(30)
    assert [activity["type"] for activity in server_of_ann.accepted] == ["Accept"]


def test_a_sample_leaves_no_trace(site: Site) -> None:
    """What the doctor sends to the inbox is judged, then forgotten."""
    looked(site, Outside(site))
    with site.store.reading() as look:
        assert look.received.quarantined() == 0
        assert look.received.next_due() is None


def _raises(message: str, kind: type[TransportError] = TransportError) -> Fault:
    def fault(_outside: Outside, _method: str, url: str, _headers: dict[str, str]) -> Observation | None:
        raise kind(url, message)

    return fault


def _always(
    status: int, part: str = "", method: str = "", body: bytes = b"<h1>No</h1>", **headers: str
) -> Fault:
    """The proxy answers by itself where the URL contains `part`."""

    def fault(_outside: Outside, used: str, url: str, _headers: dict[str, str]) -> Observation | None:
        concerned = part in url and (not method or method == used) and url.startswith("https://")
        return answer(url, status, body, **headers) if concerned else None

    return fault


def _document(part: str, document: Mapping[str, Any], kind: str = "application/jrd+json") -> Fault:
    return _always(200, part, body=json.dumps(document).encode(), **{"content-type": kind})


def _rewritten(outside: Outside, _method: str, url: str, _headers: dict[str, str]) -> Observation | None:
    outside.host = "127.0.0.1:8000"
    return None


def _led_aside(outside: Outside, method: str, url: str, headers: dict[str, str]) -> Observation | None:
    """The proxy asks another path than the one that was signed, and the site answers there too."""
    if method == "POST" and "Signature" in headers:
        return outside.through(
            "POST", url.replace("/ap/inbox", "/ap/actors/blog/inbox"), headers, outside.body
        )
    return None


def _mixed_up(kept: dict[str, Observation]) -> Fault:
    """A cache that keeps one answer per address, whoever asks."""

    def fault(outside: Outside, method: str, url: str, headers: dict[str, str]) -> Observation | None:
        if url != f"{BASE_URL}/":
            return None
        return kept.setdefault(url, outside.through(method, url, headers, None))

    return fault


def _json_for_all(_outside: Outside, _method: str, url: str, _headers: dict[str, str]) -> Observation | None:
    if url == f"{BASE_URL}/":
        return answer(url, 200, b"{}", **{"content-type": "application/activity+json"})
    return None


def _drifted(seconds: float) -> Fault:
    def fault(outside: Outside, _method: str, _url: str, _headers: dict[str, str]) -> Observation | None:
        outside.drift = seconds
        return None

    return fault


def _running_out(outside: Outside, _method: str, _url: str, _headers: dict[str, str]) -> Observation | None:
    outside.days = 3
    return None


def _no_redirect(_outside: Outside, _method: str, url: str, _headers: dict[str, str]) -> Observation | None:
    return answer(url, 200) if url.startswith("http://") else None


SECOND = {
    "subject": "acct:blog@blog.example",
    "links": [
        {"rel": "self", "type": "application/activity+json", "href": f"{BASE_URL}/second/ap/actors/blog"}
    ],
}
NODEINFO = {"links": [{"rel": "x", "href": "https://blog.example/second/nodeinfo/2.1"}]}
RENAMED = {
    "subject": "acct:blog@elsewhere.example",
    "links": [{"rel": "self", "type": "application/activity+json", "href": f"{BASE_URL}/ap/actors/blog"}],
}
TLS = (
    "no usable answer (Cannot connect to host blog.example:443 ssl:True [SSLCertVerificationError: (1, "
    "'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {}')])."
)

FAULTS: dict[str, tuple[Fault, Mark, str]] = {
    "no name": (_raises("no usable answer (Name or service not known)."), Mark.WRONG, "make an A record"),
    "private address": (
        _raises(
            "blog.example (10.0.0.7) may not be contacted: the address is private.", ForbiddenAddressError
        ),
        Mark.WRONG,
        "take blog.example out of its /etc/hosts",
    ),
    "nobody listens": (
        _raises("no usable answer (Connect call failed ('203.0.113.1', 443))."),
        Mark.WRONG,
        "start the proxy",
    ),
    "firewall": (_raises("no complete answer within 10 seconds."), Mark.WRONG, "in the firewall"),
    "expired": (_raises(TLS.format("certificate has expired")), Mark.WRONG, "renew it"),
    "another name": (
        _raises(TLS.format("Hostname mismatch, certificate is not valid for 'blog.example'.")),
        Mark.WRONG,
        "is for another name",
    ),
    "own signature": (_raises(TLS.format("self-signed certificate")), Mark.WRONG, "serve the whole chain"),
    "site is down": (_always(502), Mark.WRONG, "start dramafeed behind it"),
    "another program": (_always(200), Mark.WRONG, "Something else than dramafeed answers"),
    "www": (
        _always(301, location="https://www.blog.example/readyz"),
        Mark.WRONG,
        "redirects to https://www.blog",
    ),
    "certificate ends": (_running_out, Mark.LOOK, "ends in 3 days"),
    "clock": (_drifted(60), Mark.LOOK, "differ by 60 seconds"),
    "clock far off": (_drifted(-900), Mark.WRONG, "differ by 900 seconds"),
    "no redirect": (_no_redirect, Mark.LOOK, "let the proxy redirect it"),
    "webfinger": (_always(404, "webfinger"), Mark.WRONG, "WebFinger at blog.example answers 404 (text/html)"),
    "webfinger html": (
        _always(200, "webfinger"),
        Mark.WRONG,
        "WebFinger at blog.example answers 200 (text/html)",
    ),
    "second dramafeed": (
        _document("webfinger", SECOND),
        Mark.WRONG,
        "another program or a second dramafeed owns",
    ),
    "second nodeinfo": (
        _document(".well-known/nodeinfo", NODEINFO),
        Mark.WRONG,
        "belongs to https://blog.example/sec",
    ),
    "handle domain": (_document("webfinger", RENAMED), Mark.WRONG, "same DRAMAFEED_HANDLE_DOMAIN"),
    "actor blocked": (
        _always(403, "/ap/actors/blog", "GET"),
        Mark.WRONG,
        "answers 403 as text/html instead of",
    ),
    "pages mixed up": (_mixed_up({}), Mark.LOOK, "cannot be searched for"),
    "json to browsers": (_json_for_all, Mark.WRONG, "to browsers"),
    "feed": (_always(200, "/feed.xml"), Mark.WRONG, "feed.xml answers 200 as text/html"),
    "waf": (
        _always(403, "/ap/inbox"),
        Mark.WRONG,
        "let POST requests with the type application/activity+json",
    ),
    "small limit": (_always(413, "/ap/inbox"), Mark.WRONG, "raise the limit of the proxy to 256 KiB"),
    "posts redirected": (
        _always(301, "/ap/inbox", location=f"{BASE_URL}/ap/inbox/"),
        Mark.WRONG,
        "do not follow it",
    ),
    "anything goes": (_always(202, "/ap/inbox"), Mark.WRONG, "would refuse an unsigned sample"),
    "host": (_rewritten, Mark.WRONG, "proxy_set_header Host $http_host"),
    "target": (_led_aside, Mark.WRONG, "the request was changed on its way"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_with_its_cure(site: Site, name: str) -> None:
    """A61, A92: one sentence, which no other fault gets; what is wrong keeps the gate closed."""
    fault, mark, words = FAULTS[name]
    found = looked(site, Outside(site, fault))
    bad = [finding for finding in found if finding.mark is not Mark.FINE]
    assert [(finding.mark, words in finding.text) for finding in bad] == [(mark, True)], bad
    assert doctor.conclude(site.settings, site.store, found) is (mark is Mark.LOOK)


def test_no_two_faults_have_the_same_sentence() -> None:
    """Whoever reads it knows what to mend."""
    words = [said for _, _, said in FAULTS.values()]
    assert not [(one, other) for one in words for other in words if one is not other and one in other]


def test_another_database_is_noticed(site: Site, tmp_path: Path) -> None:
    """The running site shows another key than the one that this command would sign with."""
    (tmp_path / "other").mkdir()
    other = Site(tmp_path / "other", fediverse=site.fediverse)
    other.author()
    other.run(6)
    with other.store.reading() as look:
        theirs = look.actors.key("blog")
    other.close()
    assert theirs is not None
    patient = doctor.patient_of(site.settings, site.store)
    mistaken = doctor.Patient(patient.urls, patient.handle, theirs.public_pem, patient.signer)
    found = asyncio.run(doctor.examine(mistaken, Outside(site), site.clock))
    assert [f for f in found if f.mark is Mark.WRONG and "another key" in f.text]


def test_nobody_at_work_is_noticed(site: Site) -> None:
    """Without a worker nothing is published or sent."""
    site.clock.step(600)
    found = doctor.look_inside(site.settings, site.store, site.clock())
    assert "Nobody watches the content folder" in found[0].text


def test_the_clock_of_a_followers_server_is_looked_at(site: Site) -> None:
    """The site's own address has the same clock as the site; another server has not."""
    ann: RemoteServer = site.fediverse.server()
    site.follow(ann)

    def fault(_outside: Outside, _method: str, url: str, _headers: dict[str, str]) -> Observation | None:
        if not url.startswith(f"https://{ann.host}"):
            return None
        there = format_datetime(site.clock() - timedelta(minutes=2), usegmt=True)
        return Observation(url, 401, {"date": there}, b"")

    (finding,) = [f for f in looked(site, Outside(site, fault)) if f.mark is not Mark.FINE]
    assert "that of social.example differ by 120 seconds" in finding.text


def test_a_site_below_a_path_is_told_its_redirects(tmp_path: Path) -> None:
    """With another owner at the root, the lines to copy lead below the prefix, where the answers are."""
    site = Site(tmp_path, BASE_URL="https://blog.example/drama", WELL_KNOWN="no")
    site.author()
    site.run(6)
    outside = Outside(site)
    wrong = [finding for finding in looked(site, outside) if finding.mark is Mark.WRONG]
    assert "WebFinger at blog.example answers 404" in wrong[0].text
    target = "https://blog.example/drama/.well-known/webfinger"
    assert f"location = /.well-known/webfinger {{ return 301 {target}$is_args$args; }}" in wrong[0].lines

    def redirects(_outside: Outside, _method: str, url: str, _headers: dict[str, str]) -> Observation | None:
        if urlsplit(url).path.startswith("/.well-known/"):
            return answer(url, 301, location=url.replace("/.well-known/", "/drama/.well-known/"))
        return None

    outside.fault = redirects
    assert [finding for finding in looked(site, outside) if finding.mark is not Mark.FINE] == []
    site.close()


def test_a_handle_on_another_domain_needs_a_redirect_there(tmp_path: Path) -> None:
    """HANDLE_DOMAIN: the domain in the handle must lead to the site."""
    site = Site(tmp_path, HANDLE_DOMAIN="example.org")
    site.author()
    site.run(6)

    def apex(redirects: bool) -> Fault:
        def fault(_outside: Outside, _method: str, url: str, _headers: dict[str, str]) -> Observation | None:
            if urlsplit(url).netloc != "example.org":
                return None
            leads = {"location": url.replace("example.org", "blog.example", 1)} if redirects else {}
            return answer(url, 301 if redirects else 404, **leads)

        return fault

    wrong = [f for f in looked(site, Outside(site, apex(False))) if f.mark is Mark.WRONG]
    assert "WebFinger at example.org answers 404" in wrong[0].text
    assert "https://blog.example/.well-known/webfinger$is_args$args" in wrong[0].lines[0]
    assert [f for f in looked(site, Outside(site, apex(True))) if f.mark is not Mark.FINE] == []
    site.close()


def test_a_site_elsewhere_can_be_looked_at_without_its_database(site: Site) -> None:
    """`--url`: what anybody can see, without signing anything."""
    stranger = doctor.Patient(site.settings.urls)
    found = asyncio.run(doctor.examine(stranger, Outside(site), site.clock))
    assert {finding.mark for finding in found} == {Mark.FINE}
    blocked = asyncio.run(doctor.examine(stranger, Outside(site, _always(403, "/ap/inbox")), site.clock))
    assert [f.mark for f in blocked if "answered by something in front" in f.text] == [Mark.WRONG]


@pytest.mark.parametrize(
    "address, words",
    [("http://blog.example", "begins with http"), ("https://blog.example:8443", "names port 8443")],
)
def test_addresses_that_nobody_can_follow_are_refused_first(tmp_path: Path, address: str, words: str) -> None:
    """No request is made: the address alone tells."""
    site = Site(tmp_path, BASE_URL=address)
    site.run(6)
    found = looked(site, Outside(site, _raises("must not be asked")))
    assert words in found[0].text
    site.close()


def test_the_command_ends_with_1_and_keeps_the_gate_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real way out: a name that no DNS knows."""
    from click.testing import CliRunner

    from dramafeed.cli import dramafeed

    for name, value in {"BASE_URL": "https://nothing.invalid", "DATA": str(site.folder / "other")}.items():
        monkeypatch.setenv(f"DRAMAFEED_{name}", value)
    result = CliRunner().invoke(dramafeed, ["doctor"])
    assert result.exit_code == 1, result.output
    assert "nothing.invalid" in result.stdout
    assert "to mend; then run this again." in result.stdout
    assert server.examine_elsewhere(site.settings, "https://127.0.0.1")[0].mark is Mark.WRONG
