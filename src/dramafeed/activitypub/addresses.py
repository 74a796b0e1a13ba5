"""One spelling for every URL, host and authority, and the addresses that are never dialled.

Every comparison of hosts in the package goes through here, so that `Example.COM.`,
`example.com:443` and `EXAMPLE.com` are one host, and `example.com@evil.example` is none (RFC 3986
sections 3.2 and 6.2). Will not resolve names or open connections.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

from dramafeed.errors import MalformedError

MAX_URL = 2048

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# A last label that a resolver might read as a number: then the whole host must be a plain IPv4
# address.
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Characters that parsers disagree about: white space, controls, backslash, half characters.
_AMBIGUOUS = re.compile(
    r"[\x00-\x20\x7f-\xa0\\\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
    r"\ud800-\udfff]"
)
_PATH_SAFE = "/:@!$&'()*+,;=~-._%"

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class WebAddress:
    """An http(s) URL in canonical form. `target` is the path with its query, as it is requested."""

    scheme: str
    host: str
    port: int
    target: str
    fragment: str = ""

    @property
    def authority(self) -> str:
        """Host, and the port when it is not the scheme's own: the value of a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme and authority, without a trailing slash."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        """The canonical URL without its fragment."""
        return f"{self.origin}{self.target}"

    @property
    def literal(self) -> IPAddress | None:
        """The IP address, when the host is one."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


@lru_cache(maxsize=4096)  # as many inboxes as a large site delivers to again and again
def parse(url: str) -> WebAddress:
    """The canonical form of an http or https URL.

    Raises:
        MalformedError: the URL has no host, carries user names, or can be read in two ways.
    """
    if len(url) > MAX_URL:
        raise MalformedError(f"A URL of {len(url)} characters is longer than {MAX_URL}.")
    if _AMBIGUOUS.search(url):
        raise MalformedError(f"The URL {url[:200]!r} contains characters that a URL cannot have.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise MalformedError(f"The URL {url[:200]!r} cannot be read: {error}.") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise MalformedError(f"The URL {url[:200]!r} is neither http nor https.")
    if "@" in parts.netloc:
        raise MalformedError(f"The URL {url[:200]!r} contains a user name.")
    if port == 0:
        raise MalformedError(f"The URL {url[:200]!r} names port 0.")
    return WebAddress(
        scheme=parts.scheme,
        host=_canonical_host(parts.netloc),
        port=port or _DEFAULT_PORTS[parts.scheme],
        target=_target(parts.path, parts.query),
        fragment=parts.fragment,
    )


def authority(url: str) -> str:
    """The canonical authority of a URL: its host, with a port that is not the scheme's own."""
    return parse(url).authority


def canonical_authority(text: str, scheme: str = "https") -> str:
    """The canonical form of a Host header or of a domain that somebody typed.

    Raises:
        MalformedError: the text is more, or less, than a host with an optional port.
    """
    if not text or any(mark in text for mark in "/?#@\\"):
        raise MalformedError(f"{text[:100]!r} is not a host.")
    return parse(f"{scheme}://{text}").authority


def same_origin(one: str, other: str) -> bool:
    """True when both are readable URLs with the same scheme, host and port."""
    try:
        return parse(one).origin == parse(other).origin
    except MalformedError:
        return False


def without_fragment(url: str) -> str:
    """The URL up to its `#`, otherwise as it is written."""
    return url.partition("#")[0]


def _target(path: str, query: str) -> str:
    target = quote(_STRAY_PERCENT.sub("%25", path), safe=_PATH_SAFE) or "/"
    if query:
        target += "?" + quote(_STRAY_PERCENT.sub("%25", query), safe=_PATH_SAFE + "?")
    return target


def _canonical_host(netloc: str) -> str:
    if netloc.startswith("["):
        return _ipv6(netloc)
    host = netloc.partition(":")[0]
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise MalformedError(f"The host {host!r} is not a domain name.") from error
    host = host.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise MalformedError(f"The host {host[:100]!r} is not a domain name.")
    if _NUMERIC.fullmatch(labels[-1]):
        return _ipv4(host)
    return host


def _ipv4(host: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError as error:
        raise MalformedError(f"The host {host!r} is a number but not an IPv4 address.") from error


def _ipv6(netloc: str) -> str:
    literal, bracket, rest = netloc[1:].partition("]")
    if not bracket or "%" in literal or (rest and not rest.startswith(":")):
        raise MalformedError(f"The host {netloc[:100]!r} is not an IPv6 address.")
    try:
        return str(ipaddress.IPv6Address(literal))
    except ValueError as error:
        raise MalformedError(f"The host {netloc[:100]!r} is not an IPv6 address.") from error


# Python's own `is_global` calls NAT64, 6to4, multicast and site-local addresses global: hence a
# table.
_FORBIDDEN_V4 = tuple(
    (ipaddress.IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a provider (CGNAT)"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_FORBIDDEN_V6 = tuple(
    (ipaddress.IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("fc00::/7", "unique local"),
        ("ff00::/8", "multicast"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("3fff::/20", "for documentation"),
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def forbidden_reason(ip: str) -> str | None:
    """Why this IP address may not be dialled, or None when it is on the public internet.

    IPv4 addresses inside IPv6 (mapped, NAT64) are judged as what they reach. IPv6 outside of
    2000::/3 is never public (RFC 4291 section 2.4).
    """
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return "not an IP address"
    if isinstance(address, ipaddress.IPv6Address):
        if address in _MAPPED or address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        else:
            return _reason_v6(address)
    return next((reason for network, reason in _FORBIDDEN_V4 if address in network), None)


def _reason_v6(address: ipaddress.IPv6Address) -> str | None:
    for network, reason in _FORBIDDEN_V6:
        if address in network:
            return reason
    return None if address in _GLOBAL_V6 else "outside the public IPv6 range"
