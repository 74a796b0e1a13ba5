"""The commands, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dramafeed.cli import dramafeed
from tests import databases
from tests.site import AUTHOR

TODAY = datetime.now(UTC)
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    settings = {"FEDERATE": "yes", "BASE_URL": "https://blog.example", **databases.setting_of(tmp_path)}
    for name, value in settings.items():
        monkeypatch.setenv(f"DRAMAFEED_{name}", value)

    def go(*words: str) -> Result:
        return CliRunner().invoke(dramafeed, words)

    return go


def _write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


MISTAKES = {
    "colon.md": ("---\ntitle: Move to Heaven: a review\n---\nText.\n", 'title: "Move to Heaven: a review"'),
    "raiting.md": ("---\ntitle: A\nraiting: 8/10\n---\nText.\n", "Did you mean `rating`?"),
    "score.md": ("---\ntitle: A\nrating: eleven\n---\nText.\n", "8/10"),
    "who.md": ("---\ntitle: A\nauthor: mnia\n---\nText.\n", "mina"),
    "date.md": ("---\ntitle: A\npublished: 2026-13-45\n---\nText.\n", "Write year-month-day"),
    "twice.md": ("---\ntitle: A\ntitle: B\n---\nText.\n", "title"),
    "untitled.md": ("---\nauthor: mina\n---\nText.\n", "title:"),
    "kind.md": ("---\ntitle: A\nkind: reviw\n---\nText.\n", "review"),
    "picture.md": ("---\ntitle: A\nimage: {file: postr.jpg, alt: x}\n---\nText.\n", "postr.jpg"),
    "open.md": ("---\ntitle: A\nText without an end.\n", "---"),
}


def test_check_answers_ten_mistakes_with_ten_cures(run: Run) -> None:
    """Each mistake is one line that names file, line and column and says what to write instead."""
    _write("content/authors/mina.md", AUTHOR)
    for name, (text, _cure) in MISTAKES.items():
        _write(f"content/reviews/{name}", text)
    _write("content/reviews/good.md", "---\ntitle: Good\nauthor: mina\n---\nText.\n")
    result = run("check")
    assert result.exit_code == 1
    rows = result.stdout.splitlines()
    assert len(rows) == len(MISTAKES)
    for name, (_text, cure) in MISTAKES.items():
        (row,) = [row for row in rows if row.startswith(f"content/reviews/{name}:")]
        path, line, column, _rest = row.split(":", 3)
        assert path == f"content/reviews/{name}"
        assert line.isdigit()
        assert column.isdigit()
        assert cure in row, row
    assert "1 reviews can be published; 10 errors" in result.stderr


def test_check_of_good_content_is_quiet(run: Run) -> None:
    """Nothing wrong: nothing printed, exit 0."""
    run("init")
    result = run("check")
    assert (result.exit_code, result.stdout) == (0, "")


def test_check_speaks_to_machines(run: Run) -> None:
    """JSON for tools, annotations for a code host."""
    _write("content/reviews/untitled.md", "---\nauthor: mina\n---\nText.\n")
    (found, *_rest) = json.loads(run("check", "--format", "json").stdout)
    assert found["path"] == "reviews/untitled.md"
    github = run("check", "--format", "github", "content/reviews/untitled.md").stdout
    assert github.startswith("::error file=content/reviews/untitled.md,line=2,col=1::")


def test_init_lays_out_a_site_that_publishes_and_overwrites_nothing(run: Run) -> None:
    """A new folder has a site in it at once; a second `init` changes no file."""
    assert "Now run: dramafeed serve" in run("init").stdout
    Path("content/site.yaml").write_text("title: Mine\n")
    assert "already" in run("init").stdout
    assert Path("content/site.yaml").read_text() == "title: Mine\n"
    result = run("publish")
    assert "publish review reviews/hello.md (quiet: not sent)" in result.stdout


def test_new_makes_files_that_check_likes(run: Run) -> None:
    """A new author and a draft, with quotes where a title needs them; never over a file."""
    assert run("new", "author", "Bo Kim").stdout == f"made {Path.cwd()}/content/authors/bo-kim.md\n"
    run("new", "review", 'Move to Heaven: a "review"', "--author", "bo-kim")
    assert run("check").exit_code == 0
    again = run("new", "author", "Bo Kim")
    assert again.exit_code == 1
    assert "exists already" in again.stderr


def test_import_accounts_for_everything_and_imports_once(run: Run) -> None:
    """Foreign text becomes a file with a report; a second import makes nothing."""
    Path("old.txt").write_text("Photo credit: Somebody\n\n[Review] Old\n\nGood.\n\nBo Kim\nWrites plainly.\n")
    first = run("import", "old.txt", "--published", "2020-05-01")
    assert first.exit_code == 0, first.output
    assert "Somebody" in first.stdout
    (made,) = Path("content/reviews").glob("*.md")
    assert "published:" in made.read_text()
    run("import", "old.txt")
    assert len(list(Path("content/reviews").glob("*"))) == 1
    assert run("check").exit_code == 0


def test_dry_run_says_what_would_happen_and_changes_nothing(run: Run) -> None:
    """Each Create, Update and Delete, with how many inboxes it reaches."""
    _write("content/authors/mina.md", AUTHOR)
    run("publish")
    _write("content/reviews/new.md", "---\ntitle: New\nauthor: mina\n---\nText.\n")
    result = run("publish", "--dry-run")
    assert "publish review reviews/new.md (Create to 0 inboxes)" in result.stdout
    assert "Nothing was changed." in result.stdout
    assert "Reviews: 0 public" in run("status").stdout
    run("publish")
    assert "Nothing to do" in run("publish", "--dry-run").stdout


def test_status_tells_what_waits_and_what_is_wrong(run: Run) -> None:
    """Held sends, missing files and problems, in plain sentences."""
    _write("content/authors/mina.md", AUTHOR)
    run("publish")
    _write("content/reviews/new.md", "---\ntitle: New\nauthor: mina\n---\nText.\n")
    _write("content/reviews/bad.md", "---\ntitel: New\n---\nText.\n")
    run("publish")
    text = run("status").stdout
    assert "Reviews: 1 public" in text
    assert "create of reviews/new.md: in " in text
    assert "reviews/bad.md:2:1:" in text
    Path("content/reviews/new.md").unlink()
    run("publish")
    assert "parked: its file is missing" in run("status").stdout


def test_withdraw_says_what_it_did(run: Run) -> None:
    """By slug; an unknown one is refused in a sentence."""
    _write("content/authors/mina.md", AUTHOR)
    _write("content/reviews/new.md", "---\ntitle: New\nauthor: mina\n---\nText.\n")
    run("publish")
    assert "nobody outside had been told" in run("withdraw", "new").stdout
    assert "stays withdrawn" in run("publish").stdout
    unknown = run("withdraw", "nothing")
    assert unknown.exit_code == 1
    assert "no public review has this name" in unknown.stderr


def test_join_makes_two_files_one_review(run: Run) -> None:
    """What the rules cannot recognise, a person can say."""
    _write("content/authors/mina.md", AUTHOR)
    _write("content/reviews/old.md", "---\ntitle: Old\nauthor: mina\n---\nText.\n")
    run("publish")
    Path("content/reviews/old.md").unlink()
    _write("content/reviews/new.md", "---\ntitle: New\nauthor: mina\n---\nOther text.\n")
    assert run("join", "reviews/old.md", "reviews/new.md").exit_code == 0
    assert "rename review reviews/new.md" in run("publish").stdout


def test_a_wrong_setting_ends_with_2_and_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback: the setting and its cure."""
    monkeypatch.setenv("DRAMAFEED_HOLD_SECONDS", "soon")
    result = run("status")
    assert result.exit_code == 2
    assert result.stderr.strip().count("\n") == 0
    assert "DRAMAFEED_HOLD_SECONDS" in result.stderr


def test_help_groups_the_commands(run: Run) -> None:
    """Write, run, audience, operate; and every setting."""
    text = run("--help").stdout
    for title in ("Write:", "Run:", "Audience:", "Operate:", "DRAMAFEED_BASE_URL"):
        assert title in text


def test_keys_new_is_only_for_lost_ones(run: Run) -> None:
    """Nobody breaks their follows by accident."""
    run("init")
    run("publish")
    assert run("keys", "new").exit_code == 2
    assert "all there" in run("keys", "new", "--i-lost-them").stderr


def test_migrate_says_when_there_is_nothing_to_do(run: Run) -> None:
    """A current database stays as it is."""
    assert "already" in run("migrate").stdout
