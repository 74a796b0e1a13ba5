"""JSON from strangers: every trap is a MalformedError with one sentence."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.activitypub.vocabulary import MAX_DEPTH, MAX_INBOX_BYTES, load
from dramafeed.errors import MalformedError


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id":"a","id":"b"}',
        b'{"type":"Like","type":"Delete"}',
        b'{"actor":"a","object":"x","actor":"b"}',
        b'{"object":{"id":"a","id":"b"}}',
        b'{"a":[{"b":{"actor":"a","actor":"b"}}]}',
        b'{"id":"a","i\\u0064":"b"}',
    ],
)
def test_duplicate_keys_are_refused(raw: bytes) -> None:
    """A23: no key is said twice, at any depth, however it is escaped."""
    with pytest.raises(MalformedError, match="twice"):
        load(raw)


def test_finding_a_duplicate_is_not_slow() -> None:
    """A23: the largest body with one duplicate at its end is refused in little time."""
    keys = ",".join(f'"{number:x}":1' for number in range(24_000))
    raw = f'{{{keys},"a":1,"a":2}}'.encode()
    assert len(raw) <= MAX_INBOX_BYTES
    start = time.process_time()
    with pytest.raises(MalformedError):
        load(raw)
    assert time.process_time() - start < 1


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_000, 20_000])
def test_deep_documents_are_refused(opening: str, depth: int) -> None:
    """A49: nesting is counted before anything is built, so no recursion can run deep."""
    with pytest.raises(MalformedError, match="nested"):
        load(b'{"a":' + opening.encode() * depth)


def test_depth_counts_brackets_outside_of_strings_only() -> None:
    """A49: a text full of brackets is not deep; the allowed depth is."""
    text = "[{" * 500 + '"\\'
    assert load(json.dumps({"a": text}).encode()) == {"a": text}
    deepest = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert load(deepest)
    with pytest.raises(MalformedError):
        load(b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}")


@pytest.mark.parametrize(
    "raw", [b'"' + b'\\"' * 120_000, b'{"a":"' + b"\\" * 250_000, b'"' * 250_001, b"[" * 250_000]
)
def test_scanning_is_linear(raw: bytes) -> None:
    """A49: strings that never end do not make the scan slow."""
    start = time.process_time()
    with pytest.raises(MalformedError):
        load(raw)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "9" * 5000,
        "-" + "9" * 5000,
        "1." + "0" * 5000,
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '["ok","\\uDFFF"]',
    ],
)
def test_values_that_break_later_are_refused(value: str) -> None:
    """A50: no number or text gets in that could not be stored or written again."""
    with pytest.raises(MalformedError):
        load(f'{{"a":{value}}}'.encode())


def test_surrogate_pairs_are_fine() -> None:
    """A50: an escaped pair is one ordinary character, also in a key."""
    assert load(b'{"\\ud83d\\ude00":"\\uD83D\\uDE00"}') == {"\U0001f600": "\U0001f600"}
    with pytest.raises(MalformedError, match="surrogate"):
        load(b'{"\\ud83d":1}')


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"x"',
        b"1",
        b"{",
        b'{"a":1}x',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"a":"\xff"}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-32"),
        b"<html></html>",
    ],
)
def test_only_objects_in_utf8_are_read(raw: bytes) -> None:
    """A27: anything but one JSON object in UTF-8 is refused."""
    with pytest.raises(MalformedError):
        load(raw)


def test_large_bodies_are_refused_unread() -> None:
    """A48: a body beyond the limit is refused before it is looked at."""
    body = b'{"a":"' + b"x" * (MAX_INBOX_BYTES - 8) + b'"}'
    assert len(body) == MAX_INBOX_BYTES
    assert load(body)
    with pytest.raises(MalformedError, match="at most"):
        load(body + b" ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_ordinary_documents_are_read_as_they_are(document: dict[str, Any]) -> None:
    """A49, A50: the strictness costs no ordinary document anything."""
    assert load(json.dumps(document).encode()) == document
    assert load(json.dumps(document, ensure_ascii=False).encode()) == document


@given(st.one_of(st.binary(max_size=200), st.text(alphabet='{}[]":,\\u0d8e1-.NaI \n', max_size=200)))
def test_any_bytes_are_read_or_refused(raw: bytes | str) -> None:
    """A50: no input gives anything but an object that can be written again, or a MalformedError."""
    try:
        document = load(raw.encode() if isinstance(raw, str) else raw)
    except MalformedError:
        return
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
