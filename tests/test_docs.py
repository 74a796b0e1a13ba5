"""The documentation is compared with the code: it cannot promise what is not there, nor forget what is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from dramafeed import create_app
from dramafeed.cli import dramafeed as commands
from dramafeed.content import json_schema
from dramafeed.settings import PREFIX, TABLE, build

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src/dramafeed"
NOT_OURS = {".venv", "node_modules", ".git", "testdata"}


@cache
def pages() -> tuple[Path, ...]:
    """Every Markdown file that is documentation."""
    near = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "tests").rglob("README.md")]
    return tuple(sorted(path for path in near if not NOT_OURS & set(path.relative_to(ROOT).parts)))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def rows(text: str) -> Iterator[list[str]]:
    """The cells of all table rows of a Markdown text; an escaped bar stays in its cell."""
    for line in text.splitlines():
        if line.startswith("|") and not set(line) <= set("|-: "):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def sections(text: str, level: int) -> dict[str, str]:
    """What stands below each heading of one level."""
    parts = re.split(rf"^{'#' * level} (.+)$", text, flags=re.M)
    below = (re.split(rf"^#{{1,{level}}} ", part, flags=re.M)[0] for part in parts[2::2])
    return dict(zip(parts[1::2], below, strict=True))


def code(cell: str) -> str:
    """The one code word of a cell; "" when it has none."""
    match = re.fullmatch(r"\**`([^`]+)`\**", cell)
    return match[1] if match else ""


# ---------------------------------------------------------------------------- reference pages


def test_the_settings_page_equals_the_table_of_settings() -> None:
    """Every setting stands there with its default and meaning, in the order of the code, and no other."""
    found = [
        (code(name), code(default), meaning)
        for name, default, meaning in rows(text_of("docs/reference/settings.md"))
    ]
    assert found[1:] == [(f"{PREFIX}{row.name}", row.default, row.help) for row in TABLE]


def test_settings_that_are_named_anywhere_exist() -> None:
    """A page that says DRAMAFEED_X means a setting that can be set."""
    known = {f"{PREFIX}{row.name}" for row in TABLE} | {f"{PREFIX}SOAK"}
    for page in pages():
        named = set(re.findall(r"\bDRAMAFEED_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
        assert named <= known, name_of(page)


def _leaves(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _leaves(inner, (*words, name))
    else:
        yield " ".join(words), command


def _options(command: click.Command) -> set[str]:
    return {word for option in command.params for word in option.opts if word.startswith("--")}


def test_the_commands_page_equals_the_command_line() -> None:
    """Every command has a section with all of its options, and no section is about anything else."""
    sections_of = {
        code(title): body for title, body in sections(text_of("docs/reference/commands.md"), 3).items()
    }
    real = dict(_leaves(commands, ("dramafeed",)))
    assert sections_of.keys() == real.keys()
    for name, body in sections_of.items():
        described = set(re.findall(r"^- `(--[a-z-]+)`", body, flags=re.M))
        assert described == _options(real[name]), name


def _said_commands(text: str) -> Iterator[str]:
    """What pages tell people to type: the words behind `dramafeed` in blocks of code and code words."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, flags=re.S)
    for line in (line for block in blocks for line in block.splitlines()):
        match = re.match(r"(?:\$ |\S*/)?(?:flask )?dramafeed ([a-z].*)", line.strip())
        if match:
            yield match[1]
    prose = re.sub(r"```.*?```", "", text, flags=re.S)
    yield from re.findall(r"`(?:\S*/)?(?:flask )?dramafeed\s+([a-z][^`]*)`", prose)


def test_commands_that_people_are_told_to_type_exist() -> None:
    """Each command with each option that a page shows is one that dramafeed knows."""
    real = dict(_leaves(commands, ()))
    seen = 0
    for page in pages():
        for said in _said_commands(page.read_text(encoding="utf-8")):
            words = said.split("#")[0].split()
            name = " ".join(words[:2]) if " ".join(words[:2]) in real else words[0]
            assert name in real, f"{name_of(page)}: dramafeed {said}"
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= _options(real[name]), f"{name_of(page)}: dramafeed {said}"
            seen += 1
    assert seen > 30


def _spelled(rule: str) -> str:
    """A route of Flask as the page spells it."""
    rule = re.sub(r"<any\((.*?)\):\w+>", lambda m: "<" + m[1].replace("'", "").replace(", ", "|") + ">", rule)
    return re.sub(r"<\w+(?:\(.*?\))?:(\w+)>", r"<\1>", rule)


def _expanded(url: str) -> Iterator[str]:
    match = re.search(r"\{(.*?)\}", url)
    if match is None:
        yield url
        return
    for choice in match[1].split(","):
        yield f"{url[: match.start()]}{choice}{url[match.end() :]}"


def test_the_page_of_urls_equals_the_routes(tmp_path: Path) -> None:
    """Every address that the site answers is listed, and nothing else is promised."""
    app = create_app(build({"DATA": tmp_path / "var", "CONTENT": tmp_path}))
    real = {_spelled(rule.rule) for rule in app.url_map.iter_rules()}
    listed = [
        url for first, *_ in rows(text_of("docs/reference/urls.md")) for url in _expanded(code(first)) if url
    ]
    assert set(listed) == real
    assert len(listed) == len(set(listed))


FILES = {"Review": "review", "Author": "author", "Drama": "drama", "Page": "page", "site.yaml": "site"}
PARTS = {"Picture": "_Image", "Federation": "_Federation"}


@pytest.mark.parametrize("title", [*FILES, *PARTS])
def test_the_page_of_fields_equals_the_schema(title: str) -> None:
    """Each kind of file has all of its fields, in the order of the schema, the compulsory ones in bold."""
    schema = json_schema("review")["$defs"][PARTS[title]] if title in PARTS else json_schema(FILES[title])  # type: ignore[arg-type]
    table = [
        first
        for first, *_ in rows(sections(text_of("docs/reference/content-fields.md"), 2)[title])
        if code(first)
    ]
    assert [code(cell) for cell in table] == list(schema["properties"])
    assert [code(cell) for cell in table if cell.startswith("**")] == schema.get("required", [])


def test_the_code_map_equals_the_tree() -> None:
    """Every module has its line, and no line is about a module that is gone."""
    modules = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py")}
    folders = {
        f"{path.parent.relative_to(PACKAGE).as_posix()}/"
        for path in PACKAGE.glob("web/*/*")
        if path.name != "__pycache__"
    }
    folders = {folder for folder in folders if "__pycache__" not in folder}
    listed = [code(first) for first, *_ in rows(text_of("docs/code-map.md")) if code(first)]
    assert set(listed) == modules | folders
    assert len(listed) == len(set(listed))


def test_the_decisions_are_listed_and_complete() -> None:
    """Every record is in the list under its number and has context, decision and consequence."""
    records = sorted(path for path in (DOCS / "decisions").glob("*.md") if path.name != "index.md")
    listed = re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", text_of("docs/decisions/index.md"))
    assert listed == [path.name for path in records]
    assert [path.name[:4] for path in records] == [f"{number:04}" for number in range(1, len(records) + 1)]
    for path in records:
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert list(sections(text, 2)) == ["Context", "Decision", "Consequence"], path.name


def test_every_dependency_has_its_reason() -> None:
    """The record of dependencies names each one of pyproject.toml, and no other."""
    project = text_of("pyproject.toml").partition("[project.optional-dependencies]")
    required = re.findall(r'^    "([a-z0-9-]+)(?:\[\w+\])?>=', project[0], flags=re.M)
    optional = re.findall(r'^\w+ = \["([a-z0-9-]+)(?:\[\w+\])?>=', project[2], flags=re.M)
    told: set[str] = set()
    for first, *_ in rows(text_of("docs/decisions/0009-dependencies.md")):
        told |= {
            name for name in re.sub(r"\(.*?\)", "", first).replace(" ", "").split(",") if name != "package"
        }
    assert told == {*required, *optional}


# ---------------------------------------------------------------------------- security


ROW_IDS = re.compile(r"((?:A\d{2,3}(?:, )?)+):")


@cache
def proofs() -> dict[str, set[str]]:
    """Test -> ids of the rows that its description begins with."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        if NOT_OURS & set(path.relative_to(ROOT).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
                match = ROW_IDS.match(ast.get_docstring(node) or "")
                found[f"{name_of(path)}::{node.name}"] = set(match[1].split(", ")) if match else set()
    return found


def attacks() -> dict[str, str]:
    """Row id -> what the last cell of the row says."""
    table = (cells for cells in rows(text_of("docs/security.md")) if re.fullmatch(r"A\d{2,3}", cells[0]))
    return {cells[0]: cells[-1] for cells in table}


def test_every_attack_has_its_row() -> None:
    """A01 to A100, in order, and no test is about a row that is not there."""
    assert list(attacks()) == [f"A{number:02}" for number in range(1, 101)]
    assert set().union(*proofs().values()) <= attacks().keys()


@pytest.mark.parametrize("number", attacks())
def test_every_attack_names_its_tests_or_why_not(number: str) -> None:
    """Each test that a row names exists and begins with the row's id; a row without one says why."""
    cell = attacks()[number]
    named = re.findall(r"`(tests/[\w/]+\.py::\w+)`", cell)
    assert cell.count("::") == len(named)
    for test in named:
        assert number in proofs().get(test, set()), f"{number}: {test}"
    exist = any(number in ids for ids in proofs().values())
    assert bool(named) == exist, f"{number} has tests that its row does not name"
    if not named:
        assert re.match(r"not (yet|applicable): \w+( \S+){2,}\.$", cell), f"{number}: {cell}"


# ---------------------------------------------------------------------------- all pages


def _anchors(text: str) -> set[str]:
    """The names that headings can be linked by."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    """Every relative link of every page leads to a file, and to a heading where it names one."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            leads_to = (page.parent / path).resolve() if path else page
            assert leads_to.exists(), f"{name_of(page)}: {target}"
            assert leads_to.is_relative_to(ROOT), f"{name_of(page)}: {target}"
            if anchor:
                assert anchor in _anchors(leads_to.read_text(encoding="utf-8")), f"{name_of(page)}: {target}"


def test_files_that_are_named_exist() -> None:
    """A page that names a file of the repository names one that is there."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r"`((?:tests|docs|src|requirements)/[\w./-]+?)`", text):
            assert (ROOT / path).exists(), f"{name_of(page)}: {path}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    """Whoever follows links from the README finds every page of docs/."""
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or not page.exists():
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)\s#:]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        ahead += [(page.parent / link).resolve() for link in links]
    assert {path for path in pages() if DOCS in path.parents} <= seen


def test_nothing_of_the_machine_gets_into_the_repository() -> None:
    """No page and no source names a folder of the machine it was written on, or a package index."""
    # Put together here, so that this file does not contain what it looks for.
    words = [
        "/" + "work/",
        "/" + "opt/pypi",
        "pypi" + "-more",
        "/" + "root/",
        "simple/" + "index",
        "extra-" + "index-url =",
    ]
    texts = [
        *pages(),
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "tests").glob("*.py"),
        ROOT / "Makefile",
        ROOT / "pyproject.toml",
    ]
    for path in texts:
        text = path.read_text(encoding="utf-8")
        assert not [word for word in words if word in text], name_of(path)
    for path in (ROOT / "requirements").glob("*.txt"):
        lines = (line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
        assert not [line for line in lines if "://" in line or line.startswith("-")], path.name


def test_the_changelog_has_room_for_the_next_change() -> None:
    """Keep a Changelog: "Unreleased" comes first, and only the known sorts of change are used."""
    changes = sections(text_of("CHANGELOG.md"), 2)
    assert next(iter(changes)) == "[Unreleased]"
    for version, text in changes.items():
        sorts = set(re.findall(r"^### (.+)$", text, flags=re.M))
        assert sorts <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}, version


def test_make_targets_that_are_named_exist() -> None:
    """`make something` in a page is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), flags=re.M))
    for page in pages():
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:`|^|=\S+ )make ([a-z]+)\b", text, flags=re.M))
        assert named <= targets, name_of(page)
    assert {"serve", "test"} <= set(re.findall(r"^make ([a-z]+)", text_of("README.md"), flags=re.M))


def test_the_readme_fits_its_purpose() -> None:
    """One look: what it is, a picture that is small enough, the two commands, and what does not work."""
    readme = text_of("README.md")
    assert len(readme.splitlines()) < 100
    assert "What does not work yet" in sections(readme, 2)
    picture = re.search(r"!\[(.{20,})\]\((docs/images/home\.png)\)", readme)
    assert picture
    assert (ROOT / picture[2]).stat().st_size < 300_000
