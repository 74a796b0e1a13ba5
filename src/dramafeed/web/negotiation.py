"""Who asked: a person's browser, or a server that speaks ActivityPub (RFC 9110, section 12.5.1). Pure."""

from __future__ import annotations

import re

_ACTIVITY_STREAMS = "https://www.w3.org/ns/activitystreams"
_RANGES = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')  # a comma inside quotes separates nothing
_PARAMETERS = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_HTML = ("text/html", "application/xhtml+xml")


def prefers_activity(accept: str) -> bool:
    """True when an Accept header ranks ActivityPub above HTML.

    Only the two media types of ActivityPub themselves count; `*/*` and ties mean HTML, because a person who
    gets JSON is lost while a server that gets HTML finds the way by its Link header.
    """
    activity = 0.0
    html: dict[str, float] = {}
    for part in _RANGES.findall(accept):
        name, *rest = [piece.strip() for piece in _PARAMETERS.findall(part)] or [""]
        parameters = dict(_parameter(piece) for piece in rest)
        weight = _weight(parameters.get("q", "1"))
        name = name.lower()
        if _is_activity(name, parameters.get("profile")):
            activity = max(activity, weight)
        elif name in (*_HTML, "text/*", "*/*"):
            html[name] = max(html.get(name, 0.0), weight)
    return activity > _html_weight(html)


def _html_weight(ranges: dict[str, float]) -> float:
    """How much a page is wanted: the most specific range decides."""
    named = [ranges[name] for name in _HTML if name in ranges]
    if named:
        return max(named)
    return ranges.get("text/*", ranges.get("*/*", 0.0))


def _is_activity(name: str, profile: str | None) -> bool:
    if name == "application/activity+json":
        return True
    return name == "application/ld+json" and (profile is None or _ACTIVITY_STREAMS in profile.split())


def _parameter(piece: str) -> tuple[str, str]:
    name, _, value = piece.partition("=")
    value = value.strip()
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value.strip('"'))
    return name.strip().lower(), value


def _weight(text: str) -> float:
    """A malformed weight wishes for nothing."""
    return float(text) if _WEIGHT.fullmatch(text) else 0.0
