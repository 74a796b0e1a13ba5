"""What writers get wrong, and exactly what they are told: `file:line:column: problem. fix`."""

from __future__ import annotations

import pytest

from .conftest import Folder

FRONT = [
    ("title: Move to Heaven: review",
     'reviews/rain.md:2:8: A value with a colon in it needs quotes. Write: title: "Move to Heaven: review"'),
    ("title: @handle here",
     'reviews/rain.md:2:8: A value that begins with `@` needs quotes. Write: title: "@handle here"'),
    ("title: `Signal`",
     'reviews/rain.md:2:8: A value that begins with ``` needs quotes. Write: title: "`Signal`"'),
    ("title: “Signal: a review”",
     'reviews/rain.md:2:8: A value with a colon in it needs quotes. Write: title: "“Signal: a review”"'),
    ('title: "Queen" of Tears',
     ("reviews/rain.md:2:8: There is text after the closing quotation mark."
     " Write: title: '\"Queen\" of Tears'")),
    ('title: "Signal',
     'reviews/rain.md:2:8: The quotation mark is never closed. Write: title: "Signal"'),
    ("title: 'It's Okay'",
     'reviews/rain.md:2:8: There is text after the closing quotation mark. Write: title: "It\'s Okay"'),
    ("title: [Review] Signal",
     'reviews/rain.md:2:8: A value that begins with `[` needs quotes. Write: title: "[Review] Signal"'),
    ("title: *Signal*",
     'reviews/rain.md:2:8: A value that begins with `*` needs quotes. Write: title: "*Signal*"'),
    ("title:Signal\nkind: review",
     "reviews/rain.md:2:6: A space is missing after the colon. Write: title: Signal"),
    ("title Signal\nkind: review",
     "reviews/rain.md:2:1: The colon after the field's name is missing. Write: title: Signal"),
    ("title：Signal\nkind: review",
     "reviews/rain.md:2:6: This colon is a full-width one. Write: title: Signal"),
    ("title: Signal\n\tkind: review",
     "reviews/rain.md:3:1: The line begins with a tab. Use spaces instead of the tab."),
    ("title: Signal\n kind: review",
     "reviews/rain.md:3:2: The line is not indented like the line above. Remove the spaces before it."),
    ("title: Signal #1",
     'reviews/rain.md:2:15: A `#` begins a comment, so `#1` would be lost. Write: title: "Signal #1"'),
    ("title: Signal\ntags: #crime, cold cases",
     ("reviews/rain.md:3:7: A `#` begins a comment, so `#crime, cold cases` would be lost."
     ' Write: tags: "#crime, cold cases"')),
    ("title: Signal\ntags: [crime, cold cases\nkind: review",
     "reviews/rain.md:3:7: The bracket is never closed. Write: tags: [crime, cold cases]"),
    ("title: Signal\ntags:\n- crime\n -cold",
     ("reviews/rain.md:5:2: This list item would become part of the line above."
     " Put each item on its own line: two spaces, a hyphen, a space, the text.")),
    ("title: Signal\nimage: {file: a.jpg, alt: Two: men}",
     ("reviews/rain.md:3:8: There is one colon too many between these brackets."
     " Put a comma between two fields, and quotes around a text with a colon.")),
    ("title: Signal\nkind: review\ntitle: Signal again",
     ("reviews/rain.md:4:1: `title` is written twice, on line 2 and on line 4."
     " Delete one of the two lines.")),
    ("title: Signal\nraiting: 8/10",
     "reviews/rain.md:3:1: `raiting` is unknown. Did you mean `rating`?"),
    ("title: Signal\nrating: 8", "reviews/rain.md:3:9: `8` does not say of how many. Write 8/10 or 8/5."),
    ("title: Signal\nrating: 12/10",
     "reviews/rain.md:3:9: 12 is not between 0 and 10. Write a number from 0 to 10."),
    ("title: Signal\nkind: reveiw",
     "reviews/rain.md:3:7: `reveiw` is not one of the known values. Did you mean review?"),
    ("title: Signal\npublished: 2026-13-45",
     "reviews/rain.md:3:12: There is no month 13. Write year-month-day, for example 2022-11-04."),
    ("title: Signal\npublished: 2026-02-30",
     "reviews/rain.md:3:12: There is no day 30 in 2026-02. Write a day from 1 to 28."),
    ("title: Signal\npublished: 4.11.2022",
     ("reviews/rain.md:3:12: `4.11.2022` is not a date that can be read."
     " Write year-month-day, for example 2022-11-04 or 2022-11-04 18:00.")),
    ("title: Signal\npublished: 2022/11/4",
     "reviews/rain.md:3:12: `2022/11/4` is not a date that can be read. Write 2022-11-04."),
    ("title: Signal\ndraft: maybe",
     "reviews/rain.md:3:8: `maybe` is neither yes nor no. Write yes or no."),
    ("title: Signal\nspoilers: ful",
     "reviews/rain.md:3:11: `ful` does not say how much is given away. Did you mean full?"),
    ("title: Signal\nlang: kr", "reviews/rain.md:3:7: `kr` is not a language tag. Write ko."),
    ("title: Signal\ntrailer: https://example.org/x",
     ("reviews/rain.md:3:10: `https://example.org/x` is no YouTube or Vimeo video."
     " Write its address, for example https://www.youtube.com/watch?v=abcdefghijk")),
    ("title: Signal\ncanonical_url: example.org/signal",
     ("reviews/rain.md:3:16: `example.org/signal` is not a full web address."
     " Write https://example.org/signal")),
    ("title: Signal\nseason: two",
     "reviews/rain.md:3:9: `two` is not a whole number. Write a number such as 12."),
    ("title: Signal\nepisodes_covered: 9-3",
     "reviews/rain.md:3:19: The range `9-3` ends before it begins. Write 3-9."),
    ("title: Signal\nslug: signal/2",
     ("reviews/rain.md:3:7: A slug has only letters, digits and hyphens, and at most 200 bytes."
     " Write slug: signal-2")),
    ("title: Signal\nredirect_from: https://old.example/2020/signal/",
     ("reviews/rain.md:3:16: `https://old.example/2020/signal/` is a full address."
     " Write only its path: /2020/signal/")),
    ("title: Signal\nauthor: mna",
     "reviews/rain.md:3:9: The author `mna` is unknown. Did you mean `mina`?"),
    ("title: Signal\nauthor: Jonas",
     ("reviews/rain.md:3:9: The author `Jonas` is unknown."
     " Known are: mina. To add a new author, write a file authors/jonas.md.")),
    ("title: Signal\ndrama: Signal",
     ("reviews/rain.md:3:8: The drama `Signal` is unknown."
     ' Write drama: {title: "Signal"}, or add dramas/signal.yaml.')),
    ("title: Signal\ndrama: {titel: Signal}",
     "reviews/rain.md:3:8: `title` is missing. Add a line: title: ..."),
    ("title: Signal\nimage: postr.jpg",
     "reviews/rain.md:3:8: There is no picture `postr.jpg`. Did you mean poster.jpg?"),
    ("title: Signal\nimage: https://example.org/a.jpg",
     ("reviews/rain.md:3:8: `https://example.org/a.jpg` is no file in the content folder."
     " Save it beside this file and write its name; pictures elsewhere are never shown.")),
    ("kind: review", "reviews/rain.md:2:1: `title` is missing. Add a line: title: ..."),
    ("title:\nkind: review", "reviews/rain.md:2:1: `title` is missing. Add a line: title: ..."),
    ("- title\n- kind", "reviews/rain.md:2:1: There are no fields here. Write one `name: value` per line."),
]  # fmt: skip


@pytest.mark.parametrize("front, told", FRONT, ids=[f[0].replace("\n", "|") for f in FRONT])
def test_mistake_in_front_matter(folder: Folder, front: str, told: str) -> None:
    """Every mistake is named with its place and with what to write instead."""
    folder.write("poster.jpg", "no picture yet")
    folder.write("reviews/rain.md", f"---\n{front}\n---\nText.\n")
    library = folder.load()
    assert str(library.problems[0]) == told
    assert library.broken == {"reviews/rain.md"}


@pytest.mark.parametrize("front, _told", [f for f in FRONT if "Write: " in f[1]], ids=lambda v: v[:30])
def test_the_line_that_is_offered_works(folder: Folder, front: str, _told: str) -> None:
    """Writing what the message says to write removes the problem."""
    line = int(_told.split(":")[1]) - 2
    lines = front.split("\n")
    lines[line] = _told.partition("Write: ")[2]
    folder.write("reviews/rain.md", "---\n" + "\n".join(lines) + "\n---\nText.\n")
    assert folder.problems() == []


WHOLE = [
    ("reviews/rain.md", "", "reviews/rain.md:1:1: The file is empty. Write the text, or delete the file."),
    ("reviews/rain.md", "Just text.\n",
     ("reviews/rain.md:1:1: The file does not begin with front matter."
     " Begin the file with three lines: ---, then title: My title, then ---")),
    ("reviews/rain.md", "[Review] Rain\n\nText.\n",
     ("reviews/rain.md:1:1: The file does not begin with front matter."
     " Rename it to rain.txt, or begin it with ---, title: and ---")),
    ("reviews/rain.md", "---\ntitle: Rain\n\nText.\n",
     "reviews/rain.md:1:1: The front matter is never closed. Put a line with --- below its last field."),
    ("reviews/rain.md", "—-\ntitle: Rain\n—-\nText.\n",
     "reviews/rain.md:1:1: The first line is `—-`. Write three plain hyphens: ---"),
    ("reviews/rain.md", "---\ntitle: Rain\n—\nText.\n",
     "reviews/rain.md:3:1: The front matter is closed with `—`. Write three plain hyphens: ---"),
    ("reviews/rain.md", "---\ntitle: Rain\n---\n\n",
     "reviews/rain.md:1:1: There is no text below the front matter. Write it there."),
    ("reviews/rain.txt", "My Review of Rain\n\nText.\n",
     ("reviews/rain.txt:1:1: The line with the kind and the title is missing."
     " Write: [Review] My Review of Rain")),
    ("reviews/rain.txt", "[Reveiw] Rain\n\nText.\n",
     ("reviews/rain.txt:1:2: The kind [Reveiw] is unknown; known are review, recap, news, interview, list."
     " Did you mean [Review]?")),
    ("reviews/rain.txt", "[Poem] Rain\n\nText.\n",
     ("reviews/rain.txt:1:2: The kind [Poem] is unknown; known are review, recap, news, interview, list."
     " Write one of [Review], [Recap], [News], [Interview], [List].")),
    ("reviews/rain.txt", "[Review]\n\nText.\n",
     "reviews/rain.txt:1:1: The title is missing. Write: [Review] Title"),
    ("reviews/rain.txt", "[Review] Rain\n",
     "reviews/rain.txt:1:1: There is no text below the title. Write it there."),
    ("reviews/rain.txt", "[Review] Rain\n\nText.\n\nMina Peters\nSomebody.\n",
     ("reviews/rain.txt:5:1: The author Mina Peters is unknown, but looks like Mina Peeters."
     " Write Mina Peeters; if this is somebody else, write authors/mina-peters.md.")),
    ("reviews/rain.md", "---\ntitle: Rain\n---\nText.\n\n:::spoiler\nThe end.\n",
     ("reviews/rain.md:6:1: This spoiler is never closed."
     " Put ::: on a line of its own where the spoiler ends, as far left as its beginning.")),
    ("reviews/rain.md", "---\ntitle: Rain\n---\n:::spoiler The end. :::\n",
     ("reviews/rain.md:4:1: This spoiler is written on one line."
     " Write :::spoiler on a line of its own, then the text, then ::: on a line of its own.")),
    ("reviews/rain.md", "---\ntitle: Rain\n---\n::spoiler\nThe end.\n:::\n",
     ("reviews/rain.md:4:1: This line does not begin a spoiler, so the text below it would be public."
     " Write :::spoiler at the beginning of the line.")),
    ("reviews/rain.md", "---\ntitle: Rain\n---\nOne.\n\n:::\n",
     ("reviews/rain.md:6:1: This ::: closes nothing."
     " Write :::spoiler on a line of its own where the spoiler begins, or delete this line.")),
    ("reviews/rain.txt", "[Review] Rain\n\nOne.\n\n:::warning\nShe leaves.\n",
     ("reviews/rain.txt:5:1: `:::warning` is unknown."
     " Write :::spoiler and :::, or begin the line with something else than :::")),
    ("reviews/rain.md", "---\ntitle: Rain\n---\nOne[^1].\n\n:::spoiler\n[^1]: She leaves.\n:::\n",
     ("reviews/rain.md:4:1: This footnote stands in a spoiler, so it is not shown here."
     " Move the footnote's text below the spoiler's closing :::")),
    ("pages/about.md", "---\ntitle: Us\n---\n:::spoiler\nOne.\n",
     ("pages/about.md:4:1: This spoiler is never closed."
     " Put ::: on a line of its own where the spoiler ends, as far left as its beginning.")),
    ("reviews/!!!.md", "---\ntitle: Rain\n---\nOne.\n",
     ("reviews/!!!.md:1:1: No address can be made of the file's name."
     " Write slug: and a short word, or rename the file.")),
    ("reviews/rain.docx", "PK", ("reviews/rain.docx:1:1: Documents of word processors are not read."
     " Open it, choose Save as, and save it as plain text: rain.txt")),
    ("pages/search.md", "---\ntitle: Search\n---\nText.\n",
     ("pages/search.md:1:1: The address /search/ is used by the site itself."
     " Rename the file, or write slug: and another word.")),
    ("authors/jo.md", "---\nname: Jo\nhandle: jo@example.social\n---\n",
     ("authors/jo.md:3:9: `jo@example.social` is an account on another server."
     ' Write it as fediverse: "@jo@example.social", and a name of its own as handle.')),
    ("dramas/rain.yaml", "title: Rain\nepisodes: twelve\n",
     "dramas/rain.yaml:2:11: `twelve` is not a whole number. Write a number such as 12."),
    ("site.yaml", "title: Blog\ntimezone: Seoul\n",
     "site.yaml:2:11: There is no time zone `Seoul`. Did you mean Asia/Seoul?"),
]  # fmt: skip


@pytest.mark.parametrize("path, content, told", WHOLE, ids=[w[2][:70] for w in WHOLE])
def test_mistake_in_a_file(folder: Folder, path: str, content: str, told: str) -> None:
    """Every mistake is named with its place and with what to do."""
    folder.write(path, content)
    library = folder.load()
    assert str(library.problems[0]) == told
    assert path in library.broken


def test_all_problems_of_a_file_come_at_once(folder: Folder) -> None:
    """A writer learns of every mistake in one go, in the order of the lines."""
    folder.write("reviews/rain.md", "---\nraiting: 8\nkind: opinion\ndraft: perhaps\n---\nText.\n")
    assert [problem.split(":")[1] for problem in folder.problems()] == ["2", "2", "3", "4"]


def test_positions_count_characters(folder: Folder) -> None:
    """Columns count what the writer sees, also behind Hangul and emoji."""
    front = 'title: 비\nimage: {alt: "비 🌧", fil: a.jpg}\n'
    folder.write("reviews/rain.md", f"---\n{front}---\nText.\n")
    assert folder.problems() == ["reviews/rain.md:3:21: `fil` is unknown. Did you mean `file`?"]
