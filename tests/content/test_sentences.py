"""Summaries end where sentences end, and never inside a visible character."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dramafeed.content import first_sentences
from dramafeed.content.sentences import boundary, shorten


@pytest.mark.parametrize(
    "text, limit, summary",
    [("One. Two! Three?", 100, "One. Two! Three?"),
     ("One. Two! Three?", 9, "One. Two!"),
     ("He met Dr. Kim at 4.5 km. Then he left.", 30, "He met Dr. Kim at 4.5 km."),
     ("J. R. Kim wrote it. Fine.", 20, "J. R. Kim wrote it."),
     ("“Go!” she said. He went.", 18, "“Go!” she said."),
     ("비가 온다. 그는 떠난다.", 8, "비가 온다."),
     ("雨が降る。彼は去る。", 6, "雨が降る。"),
     ("Plot\n\nIt rains. She stays.", 12, "It rains."),
     ("Plot\n\nIt rains. She stays.", 100, "It rains. She stays."),
     ("only words without any end", 15, "only words…"),
     ("Well… it rains a lot here.", 8, "Well…"),
     ("", 10, ""), ("Two\nlines. Three.", 10, "Two lines.")],
)  # fmt: skip
def test_first_sentences(text: str, limit: int, summary: str) -> None:
    """Whole sentences, as many as fit; headings are skipped."""
    assert first_sentences(text, limit) == summary


@pytest.mark.parametrize(
    "text, inside",
    [("한국", []), (unicodedata.normalize("NFD", "각"), [1, 2]), ("e\u0301x", [1]),
     ("👩\u200d👩\u200d👧!", [1, 2, 3, 4]), ("👍🏽!", [1]), ("🇰🇷🇧🇪", [1, 3]), ("क्षि!", [1, 2, 3]),
     ("☔\ufe0f!", [1])],
)  # fmt: skip
def test_boundaries(text: str, inside: list[int]) -> None:
    """Syllables, accents, families, skin tones and flags are never cut apart."""
    assert [i for i in range(1, len(text)) if boundary(text, i) != i] == inside


@given(st.text(), st.integers(1, 60))
def test_summaries_fit(text: str, limit: int) -> None:
    """Whatever the text, the summary keeps to its limit."""
    assert len(first_sentences(text, limit)) <= limit


@given(st.text(alphabet="한e\u0301🇰🇷👩\u200d ", max_size=40), st.integers(2, 20))
def test_shortening_cuts_at_boundaries(text: str, limit: int) -> None:
    """The cut stands where one visible character ends."""
    cut = shorten(text, limit)
    kept = cut.removesuffix("…")
    assert len(cut) <= limit
    assert text.startswith(kept)
    assert cut == text or boundary(text, len(kept)) == len(kept)
