"""The site as a remote server sees it: what is broken, in one sentence each, and how to mend it.

Everything is asked through the public address and the one door out, as others ask. Will not mend anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote, urljoin, urlsplit

from dramafeed.activitypub import vocabulary
from dramafeed.activitypub.signatures import PrivateKey, Signer, sign_cavage
from dramafeed.activitypub.transport import ACTIVITY, Observation
from dramafeed.errors import ForbiddenAddressError, MalformedError, TransportError
from dramafeed.model import INSTANCE_HANDLE
from dramafeed.publishing import gate
from dramafeed.settings import Settings
from dramafeed.storage import Store
from dramafeed.urls import Urls

_SAMPLE_LENGTH = 90_000  # characters: more than proxies let pass whose limit is too small, less than we take
_DAYS_LEFT = 14
_DRIFT_SEEN, _DRIFT_HARMFUL = 30, 240  # seconds
_OVERDUE = timedelta(minutes=3)
_PROBLEM = "application/problem+json"


class Mark(StrEnum):
    """How a finding is meant."""

    FINE = "fine"
    LOOK = "look"  # works, but not for long or not for all
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `lines` are to be copied into a configuration."""

    mark: Mark
    text: str
    lines: tuple[str, ...] = ()


class Door(Protocol):
    """The way out (`activitypub.transport.Transport`)."""

    async def observe(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Observation:
        """One request; any answer."""
        ...


@dataclass(frozen=True)
class Patient:
    """What is examined.

    `handle` and `public_pem` belong to one actor and are "" for a site whose database is elsewhere; `signer`
    is its instance actor. `local` lets the address have any scheme and port. `far` are addresses of other
    servers whose clocks can be looked at.
    """

    urls: Urls
    handle: str = ""
    public_pem: str = ""
    signer: Signer | None = None
    local: bool = False
    well_known: bool = True
    far: tuple[str, ...] = ()


def patient_of(settings: Settings, store: Store) -> Patient:
    """The site of these settings."""
    urls = settings.urls
    with store.reading() as look:
        site, own = look.editions.site(), look.actors.key(INSTANCE_HANDLE)
        authors = [author.thing.handle for author in look.editions.authors()]
        handles = [handle for handle in (site and site.thing.handle, *authors) if handle]
        key = look.actors.key(handles[0]) if handles else None
        far = [follower.actor for handle in handles for follower in look.audience.followers(handle)]
    return Patient(
        urls,
        handle=handles[0] if handles else "",
        public_pem=key.public_pem if key else "",
        signer=Signer(PrivateKey.from_pem(own.private_pem), urls.instance_key) if own else None,
        local=settings.allow_private_addresses,
        well_known=settings.well_known,
        far=tuple(far[:1]),
    )


def look_inside(settings: Settings, store: Store, now: datetime) -> list[Finding]:
    """What only the database tells: is a worker running, is anything late."""
    with store.reading() as look:
        publisher, due = look.meta.holder("publisher", now), look.jobs.next_due()
    found = []
    if publisher is None:
        text = "Nobody watches the content folder: start `dramafeed serve`, or `dramafeed worker --publish`."
        found.append(Finding(Mark.WRONG, text))
    if due is not None and due < now - _OVERDUE and settings.federate != "no":
        text = f"What was due at {due:%H:%M} UTC is not sent: see that a worker runs, and `dramafeed status`."
        found.append(Finding(Mark.LOOK, text))
    return found or [Finding(Mark.FINE, "A worker is running.")]


def conclude(settings: Settings, store: Store, found: Sequence[Finding]) -> bool:
    """Whether nothing is wrong; if so, a public site may tell followers from now on."""
    well = all(finding.mark is not Mark.WRONG for finding in found)
    if well and settings.public:
        with store.transaction() as tx:
            gate.open_for(tx, settings)
    return well


async def examine(patient: Patient, door: Door, clock: Callable[[], datetime]) -> list[Finding]:
    """Ask everything that other servers ask, in an order in which one fault is named once."""
    examination = _Examination(patient, door, clock)
    await examination.run()
    return examination.findings


class _Examination:
    def __init__(self, patient: Patient, door: Door, clock: Callable[[], datetime]) -> None:
        self.findings: list[Finding] = []
        self._patient, self._urls = patient, patient.urls
        self._door, self._clock = door, clock

    async def run(self) -> None:
        """Each step stands on those before it."""
        if not self._address() or not await self._front():
            return
        await self._plain_http()
        for far in self._patient.far:
            await self._far_clock(far)
        actor = await self._webfinger()
        await self._root()
        if actor:
            await self._actor(actor)
        await self._pages(actor)
        await self._inbox()

    def _say(self, mark: Mark, text: str, *lines: str) -> None:
        self.findings.append(Finding(mark, text, lines))

    async def _ask(self, url: str, accept: str) -> Observation | None:
        """GET; None, with a finding, when no answer comes."""
        try:
            return await self._door.observe("GET", url, headers={"Accept": accept})
        except TransportError as error:
            self._say(Mark.WRONG, unreachable(error, url))
            return None

    # ---- the way to the site

    def _address(self) -> bool:
        parts = urlsplit(self._urls.base)
        if self._patient.local:
            return True
        if parts.scheme != "https":
            self._say(
                Mark.WRONG,
                f"{self._urls.base} begins with http, and other servers only talk https: put a proxy with "
                "a certificate in front, and set DRAMAFEED_BASE_URL to the https address.",
            )
        elif parts.port:
            self._say(
                Mark.WRONG,
                f"{self._urls.base} names port {parts.port}, and other servers only ask port 443: let the "
                "proxy listen there, and take the port out of DRAMAFEED_BASE_URL.",
            )
        return not self.findings

    async def _front(self) -> bool:
        url = self._urls.at("/readyz")
        seen = await self._ask(url, "*/*")
        if seen is None:
            return False
        wrong = self._wrong_front(seen)
        if wrong:
            self._say(Mark.WRONG, wrong)
            return False
        self._say(Mark.FINE, f"{self._urls.base} answers, and dramafeed is behind it.")
        self._certificate(seen)
        self._compare_clock(seen, "the site's own address")
        return True

    def _wrong_front(self, seen: Observation) -> str:
        base, kind = self._urls.base, _kind(seen)
        if seen.status == 200 and seen.body.strip() == b"ready":
            return ""
        if "location" in seen.headers:
            target = urljoin(seen.url, seen.headers["location"]).removesuffix("/readyz")
            return (
                f"{base} redirects to {target}: set DRAMAFEED_BASE_URL to that address before anybody "
                "follows, or take the redirect out of the proxy."
            )
        if seen.status == 503 and seen.body.startswith(b"nothing published"):
            return "Nothing is published yet: put site.yaml into the content folder, and run the worker."
        if seen.status == 503 and kind == _PROBLEM:
            return "dramafeed cannot use its database: see what its log says, and run `dramafeed status`."
        if seen.status in (500, 502, 503, 504):
            return (
                f"The proxy at {base} answers {seen.status}: start dramafeed behind it, and let the proxy "
                "ask the address of DRAMAFEED_LISTEN."
            )
        return (
            f"Something else than dramafeed answers at {seen.url} ({seen.status}, {kind}): let the proxy "
            f"pass everything below {self._urls.prefix or '/'} to dramafeed."
        )

    def _certificate(self, seen: Observation) -> None:
        if seen.certificate_end is None:
            return
        days = (seen.certificate_end - self._clock()).days
        if days < _DAYS_LEFT:
            text = f"The certificate ends in {days} days: see why it is not renewed (`certbot renew`)."
            self._say(Mark.LOOK, text)
        else:
            self._say(Mark.FINE, f"The certificate is good for {days} days.")

    def _compare_clock(self, seen: Observation, whose: str) -> None:
        try:
            there = parsedate_to_datetime(seen.headers.get("date", ""))
            drift = abs((there - self._clock()).total_seconds())
        except (ValueError, TypeError):
            return
        if drift > _DRIFT_SEEN:
            self._say(
                Mark.WRONG if drift > _DRIFT_HARMFUL else Mark.LOOK,
                f"The clock of this machine and that of {whose} differ by {drift:.0f} seconds, and others "
                "refuse signatures of another time: set the clock by NTP (`timedatectl set-ntp true`).",
            )

    async def _far_clock(self, far: str) -> None:
        try:
            seen = await self._door.observe("GET", far)
        except TransportError:
            return  # their trouble
        self._compare_clock(seen, urlsplit(far).netloc)

    async def _plain_http(self) -> None:
        if self._patient.local:
            return
        url = f"http://{self._urls.hostname}{self._urls.prefix}/"
        try:
            seen = await self._door.observe("GET", url)
        except TransportError:
            seen = None
        if seen is None or not seen.headers.get("location", "").startswith("https://"):
            text = f"{url} does not lead people who type the name to https: let the proxy redirect it."
            self._say(Mark.LOOK, text)

    # ---- discovery

    async def _webfinger(self) -> str:
        """The id of the actor; "" when discovery is broken."""
        patient, urls = self._patient, self._urls
        if not patient.handle:
            return await self._webfinger_at(urls.host, urls.home, "")
        account = urls.account(patient.handle)
        actor = ""
        for domain in dict.fromkeys((urls.handle_domain, urls.host)):
            resource = f"acct:{patient.handle}@{domain}"
            actor = await self._webfinger_at(domain, resource, f"acct:{account}")
            if not actor:
                return ""
        self._say(Mark.FINE, f"@{account} is found by WebFinger.")
        return actor

    async def _webfinger_at(self, domain: str, resource: str, subject: str) -> str:
        scheme = urlsplit(self._urls.base).scheme
        url = f"{scheme}://{domain}/.well-known/webfinger?resource={quote(resource, safe=':@')}"
        seen = await self._ask(url, "application/jrd+json, application/json")
        for _ in range(3):
            if seen is None or "location" not in seen.headers:
                break
            seen = await self._ask(urljoin(seen.url, seen.headers["location"]), "application/jrd+json")
        if seen is None:
            return ""
        document = _json(seen)
        if seen.status != 200 or document is None or "json" not in _kind(seen):
            self._say(
                Mark.WRONG,
                f"WebFinger at {domain} answers {seen.status} ({_kind(seen)}) for {resource}, so nobody "
                "can find the account: let it lead to dramafeed, in nginx by this line in the server of "
                f"{domain}.",
                *self._redirects(),
            )
            return ""
        return self._webfinger_document(document, domain, subject)

    def _webfinger_document(self, document: Mapping[str, Any], domain: str, subject: str) -> str:
        try:
            _account, actor = vocabulary.parse_webfinger(dict(document))
        except MalformedError as error:
            self._say(
                Mark.WRONG, f"WebFinger at {domain} gives no account ({error}): let it lead to dramafeed."
            )
            return ""
        handle, ours = self._patient.handle, self._urls.actor(self._patient.handle)
        if not actor or not (actor == ours if handle else actor.startswith(ours)):
            self._say(
                Mark.WRONG,
                f"WebFinger at {domain} leads to {actor or 'no actor'}, not to {ours}: "
                "another program or a second dramafeed owns /.well-known/ there. Set "
                "DRAMAFEED_WELL_KNOWN=off in one of them, or give them hosts of their own.",
            )
            return ""
        if subject and document["subject"] != subject:
            self._say(
                Mark.WRONG,
                f"WebFinger at {domain} calls the account {document['subject']}, not {subject}: start "
                "dramafeed with the same DRAMAFEED_HANDLE_DOMAIN as this command.",
            )
            return ""
        return actor

    def _redirects(self) -> tuple[str, ...]:
        below = self._urls.origin if self._patient.well_known else self._urls.base
        return tuple(
            f"location = /.well-known/{name} {{ return 301 {below}/.well-known/{name}$is_args$args; }}"
            for name in ("webfinger", "nodeinfo", "host-meta")
        )

    async def _root(self) -> None:
        """NodeInfo names the software that owns the root of the host."""
        seen = await self._ask(f"{self._urls.origin}/.well-known/nodeinfo", "application/json")
        if seen is not None and "location" in seen.headers:
            seen = await self._ask(urljoin(seen.url, seen.headers["location"]), "application/json")
        document = _json(seen) if seen is not None else None
        links = document.get("links") if document else None
        named = [str(link["href"]) for link in links or () if isinstance(link, dict) and "href" in link]
        ours = {self._urls.at(f"/nodeinfo/{schema}") for schema in vocabulary.NODEINFO_SCHEMAS}
        strange = [url for url in named if url not in ours]
        if strange:
            self._say(
                Mark.WRONG,
                f"NodeInfo of {self._urls.host} belongs to {strange[0]}: another program or a second "
                "dramafeed owns /.well-known/ there. Set DRAMAFEED_WELL_KNOWN=off in one of them.",
            )

    # ---- the actor, the pages

    async def _actor(self, url: str) -> None:
        seen = await self._ask(url, ACTIVITY.header)
        if seen is None:
            return
        if seen.status != 200 or not ACTIVITY.takes(seen.headers.get("content-type", "")):
            self._say(
                Mark.WRONG,
                f"The actor {url} answers {seen.status} as {_kind(seen)} instead of "
                "application/activity+json: let proxy, cache and content filter pass everything below "
                "/ap/ through unchanged.",
            )
            return
        try:
            actor = vocabulary.parse_actor(vocabulary.load(seen.body), url)
        except MalformedError as error:
            cure = f"start dramafeed with DRAMAFEED_BASE_URL={self._urls.base}"
            self._say(Mark.WRONG, f"The actor is not what it must be ({error}): {cure}.")
            return
        key = actor.key(f"{url}#main-key")
        if self._patient.public_pem and (key is None or key.pem.strip() != self._patient.public_pem.strip()):
            self._say(
                Mark.WRONG,
                f"The actor {url} shows another key than this database holds: the running site uses "
                "another database. Give this command the same DRAMAFEED_DATA and DRAMAFEED_DATABASE_URL.",
            )
            return
        self._say(Mark.FINE, f"The actor {url} is as it must be.")

    async def _pages(self, actor: str) -> None:
        """A cache must not give a page to servers, nor JSON to people."""
        home = self._urls.home
        for accept in ("text/html", "application/activity+json", "text/html"):
            seen = await self._ask(home, accept)
            if seen is None:
                return
            if accept == "text/html" and (seen.status != 200 or _kind(seen) != "text/html"):
                self._say(
                    Mark.WRONG,
                    f"{home} answers {seen.status} as {_kind(seen)} to browsers: let the cache in front "
                    "tell requests apart by Accept, or keep no pages.",
                )
                return
            if accept != "text/html" and seen.status == 200 and _kind(seen) == "text/html":
                self._say(
                    Mark.LOOK,
                    f"{home} gives servers the page for browsers, so that its address cannot be searched "
                    "for: let the cache in front tell requests apart by Accept, or keep no pages.",
                )
                return
        feed = await self._ask(self._urls.at("/feed.xml"), "*/*")
        if feed is not None and (feed.status != 200 or "xml" not in _kind(feed)):
            text = (
                f"{feed.url} answers {feed.status} as {_kind(feed)}: let the proxy pass it through unchanged."
            )
            self._say(Mark.WRONG, text)
        elif feed is not None and actor:
            self._say(Mark.FINE, "Pages and feeds arrive as they were sent.")

    # ---- the inbox

    async def _inbox(self) -> None:
        """What is signed must arrive unchanged; what is not signed must be refused by dramafeed itself."""
        patient, url = self._patient, self._urls.shared_inbox
        sample = _sample(self._urls, self._clock())
        if patient.signer is not None:
            signed = sign_cavage(patient.signer, "POST", url, now=self._clock(), body=sample)
            seen = await self._post(url, sample, signed)
            if seen is None or not self._judge_signed(seen):
                return
        seen = await self._post(url, sample, {})
        if seen is None:
            return
        if seen.status == 401 and _kind(seen) == _PROBLEM:
            self._say(Mark.FINE, "The inbox takes what is signed, and refuses what is not.")
            return
        self._say(Mark.WRONG, self._foreign(seen, "dramafeed would refuse an unsigned sample with 401"))

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Observation | None:
        typed = {**headers, "Content-Type": vocabulary.ACTIVITY_JSON}
        try:
            return await self._door.observe("POST", url, headers=typed, body=body)
        except TransportError as error:
            self._say(Mark.WRONG, unreachable(error, url))
            return None

    def _judge_signed(self, seen: Observation) -> bool:
        if seen.status == 202:
            return True
        if _kind(seen) != _PROBLEM:
            self._say(Mark.WRONG, self._foreign(seen, "dramafeed would take a signed sample with 202"))
            return False
        said = str((_json(seen) or {}).get("detail", ""))
        cure = "Let the proxy pass the path, Host, Date, Digest and Signature on unchanged"
        if "is not this site" in said:
            cure = "Let the proxy pass Host on unchanged (nginx: proxy_set_header Host $http_host)"
        self._say(
            Mark.WRONG,
            f"dramafeed refuses what is signed with its own key ({seen.status}: {said.rstrip('.')}), so "
            f"the request was changed on its way. {cure}.",
        )
        return False

    def _foreign(self, seen: Observation, expected: str) -> str:
        cure = {
            413: "raise the limit of the proxy to 256 KiB there",
            429: "raise the proxy's limit of requests there",
            404: "let the proxy pass everything below /ap/ to dramafeed",
        }.get(seen.status, "let POST requests with the type application/activity+json through")
        if seen.status < 300:
            cure = "let the proxy pass the answers of dramafeed on"
        if "location" in seen.headers:
            cure = "take the redirect out: other servers do not follow it"
        return (
            f"The inbox {seen.url} is answered by something in front of dramafeed ({seen.status}, "
            f"{_kind(seen)}; {expected}): {cure}."
        )


def _sample(urls: Urls, now: datetime) -> bytes:
    """A harmless activity: large, and of a type that has no effect anywhere."""
    return vocabulary.dumps(
        {
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": f"{urls.instance_actor}#sample-{now.timestamp():.0f}",
            "type": "View",
            "actor": urls.instance_actor,
            "object": urls.instance_actor,
            "content": "A sample of dramafeed doctor. " * (_SAMPLE_LENGTH // 30),
        }
    )


def _kind(seen: Observation) -> str:
    """The media type, without parameters."""
    return seen.headers.get("content-type", "no type").partition(";")[0].strip().lower()


def _json(seen: Observation) -> dict[str, Any] | None:
    try:
        document = json.loads(seen.body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


_CAUSES: Sequence[tuple[tuple[str, ...], str]] = (
    (
        ("certificate has expired",),
        "The certificate of {host} has expired: renew it (`certbot renew`) and reload the proxy.",
    ),
    (
        ("Hostname mismatch", "doesn't match", "not valid for"),
        "The certificate at {host} is for another name: get one for {host}.",
    ),
    (
        ("certificate", "CERTIFICATE"),
        "No other server trusts the certificate of {host}: get one by certbot, and serve the whole chain.",
    ),
    (
        ("has no address", "not known", "No address", "name resolution"),
        "DNS knows no address of {host}: make an A record (IPv6: AAAA) that points to this machine.",
    ),
    (
        ("refused", "Connect call failed", "Cannot connect"),
        "Nothing listens at {origin}: start the proxy, and open the port in the firewall.",
    ),
    (
        ("no complete answer", "timed out"),
        "{origin} does not answer: open its port in the firewall (`doctor --url` asks from elsewhere).",
    ),
)


def unreachable(error: TransportError, url: str) -> str:
    """Why no answer came, and what to do about it."""
    parts, said = urlsplit(url), str(error)
    words = {"host": parts.hostname or "", "origin": f"{parts.scheme}://{parts.netloc}", "said": said}
    if isinstance(error, ForbiddenAddressError):
        return (
            f"{said.rstrip('.')}: others must find a public address. Correct the DNS records; if only this "
            f"machine sees it so, take {parts.hostname} out of its /etc/hosts."
        )
    for signs, sentence in _CAUSES:
        if any(sign in said for sign in signs):
            return sentence.format(**words)
    return f"{said.rstrip('.')}: see what the log of the proxy says."
