"""Names: slugs, comparison of names, and the nearest known word for a misspelt one.

Pure functions over text; will not look at files.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MAX_SLUG_BYTES = 200

# Letters that Unicode does not decompose although people write them in ASCII without hesitation.
_ASCII_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "þ": "th",
        "Þ": "Th",
        "ı": "i",
        "’": "'",
        "‘": "'",
        "‐": "-",
        "\u2011": "-",
        "–": "-",
    }
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")


def clean(text: str) -> str:
    """`text` in NFC and without control characters (line breaks and tabs stay)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", _CONTROL.sub("", text))


def one_line(text: str) -> str:
    """`clean` text on one line: every run of white space becomes one space."""
    return " ".join(clean(text).split())


def name_key(name: str) -> str:
    """The form in which two spellings of one name are equal (NFC, case, white space)."""
    if name.isascii() and name.isprintable() and "  " not in name:
        return name.strip(" ").lower()  # the same, much sooner
    return unicodedata.normalize("NFC", one_line(name).casefold())


def slugify(text: str) -> str:
    """The slug of `text`: NFC, lower case, letters and digits of any script, the rest `-`.

    Never longer than 200 bytes of UTF-8 and never with a dot or a slash; "" when nothing is left.
    """
    # Lower-casing can decompose (İ becomes i and a combining dot), hence the second NFC.
    lower = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    kept: list[str] = []
    for character in lower:
        if unicodedata.category(character)[0] in "LN":
            kept.append(character)
        elif unicodedata.category(character)[0] == "M" and kept and kept[-1] != "-":
            kept.append(character)  # a mark belongs to the letter before it (Thai, Hindi)
        elif kept and kept[-1] != "-":
            kept.append("-")
    return _shorten("".join(kept)).strip("-")


def _shorten(slug: str) -> str:
    return slug.encode()[:MAX_SLUG_BYTES].decode(errors="ignore")


def fold_to_ascii(name: str) -> str | None:
    """`name` in ASCII letters (`Zoë` becomes `Zoe`), or None when a letter would be lost."""
    decomposed = unicodedata.normalize("NFKD", name.translate(_ASCII_LETTERS))
    bare = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return bare if bare.isascii() else None


def person_slug(name: str) -> str:
    """The slug of a person: ASCII where every letter survives, else the script they write in."""
    folded = fold_to_ascii(name)
    return slugify(name if folded is None else folded)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely means, or None when nothing is close."""
    target = name_key(word)
    best: tuple[int, str] | None = None
    for candidate in sorted(known):
        distance = edit_distance(target, name_key(candidate), _tolerance(target))
        if distance is not None and (best is None or distance < best[0]):
            best = (distance, candidate)
    return best[1] if best else None


def _tolerance(word: str) -> int:
    return 1 if len(word) < 5 else 2 if len(word) < 10 else 3


def is_near(one: str, other: str) -> bool:
    """True when two different names are so close that one is probably a slip of the other."""
    first, second = _person_key(one), _person_key(other)
    if first == second or sorted(first.split()) == sorted(second.split()):
        return True
    shorter = min(len(first), len(second))
    if shorter < 4:
        return False
    return edit_distance(first, second, 1 if shorter < 8 else 2) is not None


def _person_key(name: str) -> str:
    folded = name_key(fold_to_ascii(name) or name)
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def edit_distance(one: str, other: str, limit: int) -> int | None:
    """How many letters differ (swapped neighbours count once); None when more than `limit`."""
    if abs(len(one) - len(other)) > limit:
        return None
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return None
    return row[-1] if row[-1] <= limit else None
