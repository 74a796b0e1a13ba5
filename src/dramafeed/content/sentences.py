"""Short texts out of long ones: cut at the end of a sentence, never inside a visible character.

Pure functions over plain text.
"""

from __future__ import annotations

import re
import unicodedata

_ZWJ = "\u200d"
# A full stop after these is no end: initials, titles, and abbreviations that want another word.
_NO_END = re.compile(
    r"(?:^|[\s(\"'“‘])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|eps?|no|vol|e\.g|i\.e)\.$", re.IGNORECASE
)
_END = re.compile(r"(?:[.!?…]+|[。！？]+)[\"'”’»)\]」』]*(?=\s|$)|[。！？]+[”’」』]*")
_END_AT = re.compile(r"[.!?…。！？][\"'”’»)\]」』]*$")


def first_sentences(text: str, limit: int) -> str:
    """The first whole sentences of a plain text that fit into `limit` characters.

    Headings and other lines without an end mark are skipped when sentences follow. When even the
    first sentence is too long it is cut between words (or visible characters) and ends with `…`.

    Args:
        text: paragraphs joined by blank lines, as `render` gives them for PLAIN.
        limit: how many characters the result may have, at least 1.
    """
    paragraphs = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text)]
    whole = [p for p in paragraphs if _END_AT.search(p)]
    flow = " ".join(whole or [p for p in paragraphs if p])
    if len(flow) <= limit:
        return flow
    fitting = 0
    for mark in _END.finditer(flow):
        if mark.end() > limit:
            break
        if not _NO_END.search(flow[: mark.end()]):
            fitting = mark.end()
    return flow[:fitting] if fitting else shorten(flow, limit)


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, cut between words or visible characters, with `…`."""
    if len(text) <= limit:
        return text
    room = max(limit - 1, 0)
    space = text.rfind(" ", 0, room + 1)
    # Scripts without spaces, and very long words, are cut where a visible character ends.
    cut = boundary(text, space if space > room // 2 else room)
    return text[:cut].rstrip(" ,;:–—-") + "…"


def boundary(text: str, index: int) -> int:
    """The last place at or before `index` where one visible character ends and another begins."""
    index = min(index, len(text))
    while 0 < index < len(text) and _joined(text, index):
        index -= 1
    return index


def _joined(text: str, index: int) -> bool:
    """True when the characters around `index` are seen as one."""
    before, after = text[index - 1], text[index]
    if _extends(after) or (before == _ZWJ and not after.isspace()):
        return True
    if unicodedata.combining(before) == 9:  # a virama waits for the next consonant
        return True
    return _hangul_joined(before, after) or _flag_joined(text, index)


def _extends(character: str) -> bool:
    code = ord(character)
    return (
        unicodedata.category(character)[0] == "M"
        or character in ("\u200c", _ZWJ)
        or 0x1F3FB <= code <= 0x1F3FF
        or 0xE0020 <= code <= 0xE007F
    )


def _hangul_joined(before: str, after: str) -> bool:
    first, second = _hangul(before), _hangul(after)
    return (
        (first == "L" and second in ("L", "V", "LV", "LVT"))
        or (first in ("LV", "V") and second in ("V", "T"))
        or (first in ("LVT", "T") and second == "T")
    )


def _hangul(character: str) -> str:
    code = ord(character)
    if 0x1100 <= code <= 0x115F or 0xA960 <= code <= 0xA97C:
        return "L"
    if 0x1160 <= code <= 0x11A7 or 0xD7B0 <= code <= 0xD7C6:
        return "V"
    if 0x11A8 <= code <= 0x11FF or 0xD7CB <= code <= 0xD7FB:
        return "T"
    if 0xAC00 <= code <= 0xD7A3:
        return "LV" if (code - 0xAC00) % 28 == 0 else "LVT"
    return ""


def _flag_joined(text: str, index: int) -> bool:
    """Flags are pairs of regional letters: the cut may stand after an even number of them."""
    start = index
    while start > 0 and 0x1F1E6 <= ord(text[start - 1]) <= 0x1F1FF:
        start -= 1
    return 0x1F1E6 <= ord(text[index]) <= 0x1F1FF and (index - start) % 2 == 1
