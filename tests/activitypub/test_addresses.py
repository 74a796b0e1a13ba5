"""One spelling per host, and no way to a forbidden address."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.activitypub import addresses
from dramafeed.errors import MalformedError

SAME = [
    ("https://example.com/a", "https://example.com"),
    ("HTTPS://EXAMPLE.com/a", "https://example.com"),
    ("https://example.com./a", "https://example.com"),
    ("https://example.com:443/a", "https://example.com"),
    ("https://example.com:/a", "https://example.com"),
    ("http://example.com:80/", "http://example.com"),
    ("https://example.com:8443/a", "https://example.com:8443"),
    ("https://bücher.example/", "https://xn--bcher-kva.example"),
    ("https://BÜCHER.example/", "https://xn--bcher-kva.example"),
    ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
    ("https://한국.example/", "https://xn--3e0b707e.example"),
    ("https://example。com/", "https://example.com"),
    ("https://１２７.0.0.1/", "https://127.0.0.1"),
    ("https://[::1]/", "https://[::1]"),
    ("https://[0:0:0:0:0:0:0:1]:8443/", "https://[::1]:8443"),
    ("https://my_host.example/", "https://my_host.example"),
]

REFUSED = [
    "",
    "example.com",
    "//example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "data:text/plain,x",
    "javascript:alert(1)",
    "https://",
    "https:///path",
    "https://user@example.com/",
    "https://user:pw@example.com/",
    "https://example.com@evil.example/",
    "https://exa mple.com/",
    "https://example.com\\@evil.example/",
    "https://example.com\t/",
    "https://example.com/\n",
    "https://example.com/a b",
    "https://example.com%2eevil.example/",
    "https://ex%61mple.com/",
    "https://example..com/",
    "https://.example.com/",
    "https://-example.com/",
    "https://example.com:0/",
    "https://example.com:99999/",
    "https://example.com:x/",
    "https://example.com:8443:1/",
    "https://[::1/",
    "https://[::1]x/",
    "https://[fe80::1%25eth0]/",
    "https://[not-an-address]/",
    "https://foo[::1]/",
    "https://127.1/",
    "https://0x7f.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://017700000001/",
    "https://127.0.0.0x1/",
    "https://1.2.3.4.5/",
    "https://999.1.1.1/",
    "https://127.0.0.01/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 130 + "example/",
    "https://example.com/" + "a" * 2048,
    "https://exam\u200bple.com/",
    "https://example.com/\ud800",
    "https://example.com\u2028/",
]


@pytest.mark.parametrize("url, origin", SAME)
def test_one_host_has_one_spelling(url: str, origin: str) -> None:
    """A24: case, dot, punycode and default port do not make another host."""
    assert addresses.parse(url).origin == origin


@pytest.mark.parametrize("url", REFUSED)
def test_ambiguous_urls_are_refused(url: str) -> None:
    """A24, A36: what two parsers could read in two ways is no URL here."""
    with pytest.raises(MalformedError):
        addresses.parse(url)
    assert not addresses.same_origin(url, "https://example.com/")


def test_origin_means_scheme_host_and_port() -> None:
    """A24: the same host on another port or scheme is another origin."""
    assert addresses.same_origin("https://a.example/x", "https://A.example.:443/y#z")
    assert not addresses.same_origin("https://a.example/", "http://a.example/")
    assert not addresses.same_origin("https://a.example/", "https://a.example:8443/")
    assert not addresses.same_origin("https://a.example/", "https://b.a.example/")


def test_target_is_what_is_requested() -> None:
    """The path and query keep their spelling, except for what may not be sent."""
    address = addresses.parse("https://a.example/users/%40ann/한?q=a+b&r=%C3%A9|#frag")
    assert address.target == "/users/%40ann/%ED%95%9C?q=a+b&r=%C3%A9%7C"
    assert address.fragment == "frag"
    assert address.url == f"https://a.example{address.target}"
    assert addresses.parse("https://a.example?q=1").target == "/?q=1"
    assert addresses.parse("https://a.example/100%").target == "/100%25"


@pytest.mark.parametrize(
    "text, authority",
    [
        ("Blog.Example", "blog.example"),
        ("blog.example:443", "blog.example"),
        ("blog.example.:8000", "blog.example:8000"),
        ("[::1]:8000", "[::1]:8000"),
    ],
)
def test_host_headers_are_canonicalised(text: str, authority: str) -> None:
    """A24: a Host header is compared in the same spelling as a URL."""
    assert addresses.canonical_authority(text) == authority


@pytest.mark.parametrize("text", ["", "a/b", "a?b", "a#b", "u@a", "a\\b", "a b", "a,b", ":80"])
def test_hosts_are_nothing_but_hosts(text: str) -> None:
    """A18, A24: a Host header with anything else in it is refused."""
    with pytest.raises(MalformedError):
        addresses.canonical_authority(text)


FORBIDDEN = [
    "0.0.0.0",  # noqa: S104 - judged here, bound by nobody
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd12::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff02::1",
    "ff0e::1",
]

ALLOWED = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.0.0.1",
    "128.0.0.1",
    "172.15.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "193.0.0.1",
    "198.17.0.1",
    "198.20.0.1",
    "223.255.255.254",
    "2606:4700::1111",
    "2a00:1450::1",
    "2001:4860:4860::8888",
    "2400::1",
    "64:ff9b::8.8.8.8",
    "::ffff:8.8.8.8",
]


@pytest.mark.parametrize("ip", FORBIDDEN)
def test_odd_ranges_are_forbidden(ip: str) -> None:
    """A32, A34: no address but a public one may be dialled, however it is wrapped."""
    assert addresses.forbidden_reason(ip)


@pytest.mark.parametrize("ip", ALLOWED)
def test_public_addresses_are_allowed(ip: str) -> None:
    """A34: the table forbids nothing that other servers really live at."""
    assert addresses.forbidden_reason(ip) is None


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "1.2.3"])
def test_only_real_addresses_are_judged(text: str) -> None:
    """A36: what is not an IP address in its usual spelling is never allowed."""
    assert addresses.forbidden_reason(text)


@given(st.integers(min_value=0, max_value=2**128 - 1))
def test_nothing_beyond_the_public_range_is_allowed(number: int) -> None:
    """A34: any IPv6 address that is allowed is global, or wraps an IPv4 address that is."""
    address = ipaddress.IPv6Address(number)
    if addresses.forbidden_reason(str(address)) is None:
        wrapped = number >> 32 in (0xFFFF, 0x64FF9B << 64)
        assert wrapped or address in ipaddress.IPv6Network("2000::/3")


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_ipv4_is_judged_alike_in_every_wrapping(number: int) -> None:
    """A34: an IPv4 address is as forbidden inside IPv6 as it is outside."""
    plain = str(ipaddress.IPv4Address(number))
    reason = addresses.forbidden_reason(plain)
    assert addresses.forbidden_reason(f"::ffff:{plain}") == reason
    assert addresses.forbidden_reason(f"64:ff9b::{plain}") == reason
    if ipaddress.IPv4Address(number).is_private:
        assert reason


_PIECES = st.sampled_from(
    [
        "https://",
        "http://",
        "://",
        "@",
        ":",
        "/",
        "?",
        "#",
        "[",
        "]",
        "%",
        "a",
        ".",
        "..",
        "例",
        "0x",
        "127",
        "::1",
        "\\",
        "\x00",
        " ",
        "xn--",
        "-",
        "_",
        "\u00ad",
        "\ud800",
        "%zz",
        "443",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=14).map("".join)))
def test_any_text_is_canonical_or_refused(text: str) -> None:
    """A24: every text gives a stable canonical URL or a MalformedError, nothing else."""
    for candidate in (text, f"https://{text}"):
        try:
            address = addresses.parse(candidate)
        except MalformedError:
            continue
        again = addresses.parse(address.url)
        assert (again.url, again.authority) == (address.url, address.authority)
        assert address.url.isascii()
        assert address.host == address.host.lower()
