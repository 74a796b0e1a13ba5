"""Bytes become text, text becomes a tree of strings with positions."""

from __future__ import annotations

import pytest

from dramafeed.content import front_matter
from dramafeed.content.front_matter import BadFileError, Fields, Items, Text


def fields(text: str) -> Fields:
    return front_matter.parse(text, "reviews/a.md")


def complaint(text: str) -> str:
    with pytest.raises(BadFileError) as caught:
        fields(text)
    return str(caught.value.problems[0])


def test_scalars_stay_strings() -> None:
    """What YAML would turn into booleans, numbers, times and nothing stays what was written."""
    tree = fields("a: yes\nb: 010\nc: 1:30\nd: 2022-01-01\ne: null\nf: 1_000\ng: ~\n")
    assert [node.value for node in tree.values.values() if isinstance(node, Text)] == [
        "yes", "010", "1:30", "2022-01-01", "null", "1_000", "~",
    ]  # fmt: skip


def test_every_node_knows_its_place() -> None:
    """Keys, values, lists and their items carry line and column of the whole file."""
    document = front_matter.split("---\ntitle: A\ntags: [x, y]\n---\nBody\n", "a.md")
    assert document.fields is not None
    tags = document.fields.values["tags"]
    assert isinstance(tags, Items)
    places = [(node.line, node.column) for node in (document.fields.keys["tags"], tags, tags.values[1])]
    assert places == [(3, 1), (3, 7), (3, 11)]
    assert (document.body, document.body_line) == ("Body\n", 5)


def test_text_without_front_matter_is_all_body() -> None:
    """A file that does not begin with a fence has no fields."""
    document = front_matter.split("Hello\n---\nworld\n", "a.txt")
    assert (document.fields, document.body, document.body_line) == (None, "Hello\n---\nworld\n", 1)


def test_blank_lines_before_the_fence_are_forgiven() -> None:
    """Some editors begin a file with an empty line."""
    document = front_matter.split("\n\n---\ntitle: A\n---\nBody", "a.md")
    assert document.fields is not None
    assert document.fields.values["title"] == Text("A", 4, 8)


def test_a_rule_in_the_body_is_no_fence() -> None:
    """Only the first closing fence counts."""
    document = front_matter.split("---\ntitle: A\n---\nOne\n\n---\n\nTwo", "a.md")
    assert document.body == "One\n\n---\n\nTwo"


def test_empty_front_matter_has_no_fields() -> None:
    """Two fences with nothing, or only comments, between them are no mistake of YAML."""
    assert fields("").values == {}
    assert fields("# to do\n").values == {}


@pytest.mark.parametrize(
    "value",
    ["a: b", "'x' y", '"x" y', "@x", "`x`", "%x", "- x", "? x", "[x] y", "{x", "*x*", "&x", "!x", "x #y",
     "# y", "\\d: x", "it's: \"x\""],
)  # fmt: skip
def test_the_quoting_that_is_offered_reads_back_the_same(value: str) -> None:
    """The quotes that a message offers make YAML give back exactly the text."""
    from dramafeed.content.yaml_advice import quote

    node = fields(f"title: {quote(value)}\n").values["title"]
    assert isinstance(node, Text)
    assert node.value == value


def test_second_document_is_refused() -> None:
    """A YAML file with two documents is a mistake, not half a file."""
    assert complaint("title: a\n---\ntitle: b\n").startswith("reviews/a.md:2:1: A second `---`")


def test_a_list_as_field_name_is_refused() -> None:
    """Field names are words."""
    assert "field name is missing" in complaint("[a, b]: c\n")


def test_comment_with_a_space_is_a_comment() -> None:
    """`# text` after a value may be left out in good faith."""
    node = fields("title: A # to do\n").values["title"]
    assert isinstance(node, Text)
    assert node.value == "A"


def test_line_separators_of_unicode_do_not_shift_lines() -> None:
    """Only the line breaks that editors show are counted."""
    assert complaint("title: a\u2028b\u0085c\nx: y: z\n").startswith("reviews/a.md:2:4:")


# ---------------------------------------------------------------------------- decoding


def decoding_problem(data: bytes) -> str:
    with pytest.raises(BadFileError) as caught:
        front_matter.decode(data, "reviews/a.txt")
    return str(caught.value.problems[0])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_encodings_are_read(encoding: str) -> None:
    """UTF-8 with and without mark and UTF-16 with mark give the same text."""
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    text = "이상한 변호사 – ‘Woo’\n"
    assert front_matter.decode(mark + text.encode(encoding), "a.txt") == text


def test_windows_line_ends_become_plain_ones() -> None:
    """CRLF and lone CR are line ends."""
    assert front_matter.decode(b"a\r\nb\rc\n", "a.txt") == "a\nb\nc\n"


def test_text_is_nfc_without_control_characters() -> None:
    """Decomposed letters are composed, control characters dropped, tabs kept."""
    assert front_matter.decode("e\u0301\x07\tx\x1b[0m".encode(), "a.txt") == "é\tx[0m"


def test_korean_windows_text_is_recognised() -> None:
    """CP949 is answered with the command that cures it."""
    assert decoding_problem("제목: 시그널 리뷰입니다".encode("cp949")) == (
        "reviews/a.txt:1:1: The file is not UTF-8; it looks like Korean Windows text (CP949)."
        " Save it as UTF-8, or run: iconv -f CP949 -t UTF-8 OLD > NEW."
    )


def test_western_windows_text_is_recognised() -> None:
    """Windows-1252 is answered with the command that cures it, at the first odd letter."""
    assert decoding_problem("one\ncafé “x”".encode("cp1252")) == (
        "reviews/a.txt:2:4: The file is not UTF-8; it looks like Western Windows text (Windows-1252)."
        " Save it as UTF-8, or run: iconv -f CP1252 -t UTF-8 OLD > NEW."
    )


def test_other_bytes_are_refused_plainly() -> None:
    """What nobody can read gets a plain answer."""
    assert decoding_problem(b"\x81\x8d\x8f\x90\x9d").startswith("reviews/a.txt:1:1: The file is not UTF-8")
    assert "middle of a character" in decoding_problem(b"\xff\xfea")


def test_large_files_are_refused() -> None:
    """A file beyond the limit is not even decoded."""
    assert "larger than 256 KB" in decoding_problem(b"x" * (front_matter.MAX_FILE + 1))
