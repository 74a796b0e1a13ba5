"""What a YAML syntax error means to somebody who never heard of YAML, and what to write instead.

Looks at the line that the writer wrote, not at the parser's words: a parser names what it expected,
a writer needs the line that works. Works on plain values and will not parse anything itself.
"""

from __future__ import annotations

import re

from dramafeed.model import Problem

Position = tuple[int, int]  # line and column from 0, as parsers count

_FIELD = re.compile(
    r"\s*(?:- +)*(?P<key>[^\s:：#'\"\[\]{},@`-][^:：\"'\[\]{}]*?)(?P<colon>\s*[:：])(?P<rest>.*)$"
)
_LOST = re.compile(r"\s*(#\S.*)$")
_COMMENT = re.compile(r"\s+#(?:\s.*)?$")

Advice = tuple[int, str, str]  # column from 0, what is wrong, what to write instead


def quote(value: str) -> str:
    """`value` in the quotes that YAML reads back as exactly this text."""
    if '"' not in value and "\\" not in value:
        return f'"{value}"'
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def quoted_line(line: str, *, with_comment: bool = False) -> str:
    """The sentence that shows `line` with its value in quotes."""
    field = _FIELD.match(line)
    if field is None:
        return "Put the text in quotes."
    value = field["rest"].strip()
    if not with_comment:
        value = _COMMENT.sub("", value)
    return f"Write: {field['key'].strip()}: {quote(_without_quotes(value))}"


def _without_quotes(value: str) -> str:
    """The text that the writer meant to quote, in whichever way the quoting went wrong."""
    sign = value[:1]
    if sign not in ("'", '"'):
        return value
    if len(value) > 1 and value.endswith(sign):
        return value[1:-1].replace("''", "'") if sign == "'" else value[1:-1]
    if sign == '"' and value.count('"') == 1:
        return value[1:]
    return value


def explain(
    problem: Position | None, context: Position | None, lines: list[str], path: str, first_line: int
) -> Problem:
    """One problem for the syntax error that the parser found.

    Args:
        problem: where the parser gave up, when it said so.
        context: where the thing began that it was reading.
        lines: the YAML, line by line.
        path: the file, for the message.
        first_line: the number of `lines[0]` in that file.
    """
    last = len(lines) - 1
    candidates = [p[0] for p in (problem, context) if p is not None]
    if problem is not None and problem[0] > 0:
        candidates.append(problem[0] - 1)
    for number in candidates:
        advice = _advise(lines, min(number, last))
        if advice is not None:
            column, message, fix = advice
            return Problem(path, message, fix, min(number, last) + first_line, column + 1)
    line, column = problem or context or (0, 0)
    return Problem(
        path,
        "This line cannot be understood",
        "Write `name: value`, and put text with special signs in quotes.",
        min(line, last) + first_line,
        column + 1,
    )


def not_fields(lines: list[str], path: str, first_line: int) -> Problem:
    """The problem of text that parses, but holds no fields at all."""
    number = next((i for i, line in enumerate(lines) if line.strip()), 0)
    column, message, fix = _advise_name(lines[number]) or (
        0,
        "There are no fields here",
        "Write one `name: value` per line.",
    )
    return Problem(path, message, fix, number + first_line, column + 1)


def swallowed(start: Position, end: Position, lines: list[str], path: str, first_line: int) -> list[Problem]:
    """Problems of an unquoted value that parses, but loses or gains words by accident."""
    found: list[Problem] = []
    rest = lines[end[0]][end[1] :] if end[0] < len(lines) else ""
    lost = _LOST.match(rest)
    # `# text` with a space is an honest comment; `#text` is a hashtag or a number.
    if lost and (rest[:1].isspace() or not rest[: lost.start(1)]):
        fix = quoted_line(lines[end[0]], with_comment=True)
        message = f"A `#` begins a comment, so `{lost[1]}` would be lost"
        column = end[1] + lost.start(1) + 1
        found.append(Problem(path, message, fix, end[0] + first_line, column))
    for number in range(start[0] + 1, min(end[0] + 1, len(lines))):
        text = lines[number].lstrip()
        if text.startswith("-"):
            column = len(lines[number]) - len(text) + 1
            found.append(
                Problem(
                    path,
                    "This list item would become part of the line above",
                    "Put each item on its own line: two spaces, a hyphen, a space, the text.",
                    number + first_line,
                    column,
                )
            )
            break
    return found


# ---------------------------------------------------------------------------- one line


def _advise(lines: list[str], number: int) -> Advice | None:
    line = lines[number]
    if not line.strip():
        return None
    for check in (_advise_tab, _advise_name, _advise_value):
        advice = check(line)
        if advice is not None:
            return advice
    return _advise_indent(lines, number)


def _advise_tab(line: str) -> Advice | None:
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        return indent.index("\t"), "The line begins with a tab", "Use spaces instead of the tab."
    return None


def _advise_name(line: str) -> Advice | None:
    """Is there a `name:` with a plain colon and a space?"""
    text = line.strip()
    column = len(line) - len(line.lstrip())
    field = _FIELD.match(line)
    if field is None:
        if text[0] in "@`%&*!|>,]}?":
            return column, f"A line cannot begin with `{text[0]}`", "Write `name: value`."
        if ":" in text or text.startswith(("-", "#", "[", "{", '"', "'")):
            return None
        name, _, value = text.partition(" ")
        return (column, "The colon after the field's name is missing", f"Write: {name}: {value}".rstrip())
    key, value = field["key"].strip(), field["rest"].strip()
    where = field.start("colon")
    if "：" in field["colon"]:
        return where, "This colon is a full-width one", f"Write: {key}: {value}"
    if value and not field["rest"][0].isspace() and not field["rest"].startswith("//"):
        return where, "A space is missing after the colon", f"Write: {key}: {value}"
    return None


def _advise_value(line: str) -> Advice | None:
    field = _FIELD.match(line)
    if field is None:
        return None
    value = field["rest"].strip()
    column = field.start("rest") + len(field["rest"]) - len(field["rest"].lstrip())
    if not value:
        return None
    for check in (_advise_first_sign, _advise_quotes, _advise_brackets):
        message = check(value)
        if message:
            return column, message, _fix_value(line, field["key"].strip(), value, message)
    if ": " in value or value.endswith(":"):
        return column, "A value with a colon in it needs quotes", quoted_line(line)
    return None


def _fix_value(line: str, key: str, value: str, message: str) -> str:
    if message == _OPEN_BRACKET:
        closing = "]" if value[0] == "[" else "}"
        return f"Write: {key}: {value.rstrip(',')}{closing}"
    if message == _CROWDED_BRACES:
        return "Put a comma between two fields, and quotes around a text with a colon."
    return quoted_line(line)


_OPEN_BRACKET = "The bracket is never closed"
_CROWDED_BRACES = "There is one colon too many between these brackets"


def _advise_first_sign(value: str) -> str | None:
    if value[0] in "@`%,]}&*!?" or (value[0] in "|>" and len(value) > 1):
        return f"A value that begins with `{value[0]}` needs quotes"
    return "A value that begins with a hyphen needs quotes" if value.startswith("- ") else None


def _advise_quotes(value: str) -> str | None:
    sign = value[0]
    if sign not in "'\"":
        return None
    closing = _closing_quote(value)
    if closing is None:
        return "The quotation mark is never closed"
    rest = value[closing + 1 :].strip()
    if rest and not rest.startswith("#"):
        return "There is text after the closing quotation mark"
    if sign == '"' and "\\" in value:
        return "A backslash has a special meaning between double quotes"
    return None


def _closing_quote(value: str) -> int | None:
    index = 1
    while index < len(value):
        if value[0] == '"' and value[index] == "\\":
            index += 1
        elif value[index] == value[0]:
            if value[0] == '"' or value[index + 1 : index + 2] != "'":
                return index
            index += 1
        index += 1
    return None


def _advise_brackets(value: str) -> str | None:
    if value[0] not in "[{":
        return None
    closing = "]" if value[0] == "[" else "}"
    end = value.rfind(closing)
    if end < 0:
        return _OPEN_BRACKET
    rest = value[end + 1 :].strip()
    if rest and not rest.startswith("#"):
        return f"A value that begins with `{value[0]}` needs quotes"
    if value[0] == "{" and any(part.count(":") > 1 for part in value[1:end].split(",")):
        return _CROWDED_BRACES
    return None


def _advise_indent(lines: list[str], number: int) -> Advice | None:
    indent = len(lines[number]) - len(lines[number].lstrip())
    above = next((line for line in reversed(lines[:number]) if line.strip()), None)
    if above is None and indent:
        return indent, "The line is indented", "Remove the spaces before it."
    if above is None:
        return None
    above_indent = len(above) - len(above.lstrip())
    if indent != above_indent:
        return (
            indent,
            "The line is not indented like the line above",
            ("Remove the spaces before it." if indent else "Begin both lines at the same column."),
        )
    return None
