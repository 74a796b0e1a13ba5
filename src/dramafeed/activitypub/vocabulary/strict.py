"""JSON from strangers, read so that nothing in it can surprise later.

Refused before the parser runs: deep nesting, bad UTF-8, too many bytes. Refused by it: NaN, huge
numbers, lone surrogates, and a key that is said twice (Python's parser would keep the last, a check
elsewhere may have seen the first). `@context` is never interpreted.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any

from dramafeed.activitypub.vocabulary.terms import Document
from dramafeed.errors import MalformedError

MAX_INBOX_BYTES = 256 * 1024
MAX_DEPTH = 32
_MAX_DIGITS = 40

# A JSON string, also one that never ends. Possessive, so that the match is linear in the input.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def load(raw: bytes, *, limit: int = MAX_INBOX_BYTES) -> Document:
    """The JSON object in `raw`.

    Raises:
        MalformedError: it is not one, or breaks a rule of this module.
    """
    if len(raw) > limit:
        raise MalformedError(f"The document has {len(raw)} bytes; at most {limit} are read.")
    if _depth(raw) > MAX_DEPTH:
        raise MalformedError(f"The document is nested deeper than {MAX_DEPTH} levels.")
    try:
        document = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_real,
        )
    except UnicodeDecodeError as error:
        raise MalformedError("The document is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise MalformedError(f"The document is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise MalformedError("The document is not a JSON object.")
    if _SURROGATE.search(raw):
        _refuse_lone_surrogates(document)
    return document


def _depth(raw: bytes) -> int:
    """The deepest nesting of brackets outside of strings, found without building anything."""
    deepest = depth = 0
    for bracket in _STRING.sub(b"", raw).translate(None, _ALL_BUT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            if depth > deepest:
                deepest = depth
                if deepest > MAX_DEPTH:
                    break
        else:
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> Document:
    document = dict(pairs)
    if len(document) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise MalformedError(f"The document says {twice[:100]!r} twice.")
    return document


def _constant(word: str) -> Any:
    raise MalformedError(f"The document contains {word}, which is not JSON.")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise MalformedError(f"The document contains a number of {len(digits)} digits.")
    return int(digits)


def _real(digits: str) -> float:
    number = float(digits) if len(digits) <= _MAX_DIGITS else math.inf
    if not math.isfinite(number):
        raise MalformedError("The document contains a number that is too large or too long.")
    return number


def _refuse_lone_surrogates(document: Document) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise MalformedError("The document contains half of a surrogate pair.") from error
