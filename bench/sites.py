"""Content folders of any size, the same on every machine: what the benchmarks measure on.

Review number n is the same file whatever the size of the folder, so that a large site holds a small one.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FIRST = datetime(2014, 3, 1, 8, 0, tzinfo=UTC)
_APART = timedelta(hours=9)  # 10,000 reviews are ten years
_FAMILY = ("Seo", "Gu", "Winterdijk", "Okpara", "Han", "Peeters", "Baek", "Moreau", "Do", "Lindqvist")
_GIVEN = ("Mina", "Haeram", "Fenna", "Desmond", "Jiwoo", "Lotte", "Sol", "Amélie", "Yuna", "Tove")
_COMMON_TAGS = ("romance", "thriller", "comfort watch", "period drama", "medical", "zombies", "strays")
_NAMES = (
    "Spring",
    "Harbour",
    "Mister",
    "Signal",
    "Rooftop",
    "Lantern",
    "Winter",
    "Kitchen",
    "Letters",
    "Hotel",
)
_WORDS = """
the a and of to in it is that was for on as with his her they at be this from have or by one had not
but what all were when we there can an your which their said if do will each about how up out them
then she many some so these would other into has more two like him see time could no make than first
been its who now people my made over did down only way find use may water long little very after
words called just where most know episode scene camera actor kitchen umbrella rain prosecutor
chaebol grandmother rooftop market station letter secret brother sister slowly tender funny patient
clumsy brilliant cruel lonely dialect soup noodles ending beginning second lead villain music
silence hospital school palace ghost
""".split()  # noqa: SIM905 - a list of 150 lines reads worse


def write_content(folder: Path, reviews: int) -> None:
    """Write a content folder: site, writers, dramas, and `reviews` reviews of 300 to 900 words.

    Args:
        folder: made if it is not there; files of the same names are replaced.
        reviews: how many; writers (3 to 40), dramas and rare tags grow with them.
    """
    for name in ("authors", "dramas", "reviews"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write(folder / "site.yaml", "title: A Large Blog\ndescription: Reviews without end.\nhandle: blog\n")
    for number in range(_writers(reviews)):
        _write(folder / "authors" / f"{_writer_slug(number)}.md", _writer(number))
    for number in range(max(1, reviews // 5)):
        _write(folder / "dramas" / f"{_drama_slug(number)}.yaml", _drama(number))
    for number in range(reviews):
        _write(folder / "reviews" / f"{review_slug(number)}.md", review(number))


def review_slug(number: int) -> str:
    """The slug of a review: also its file's name without the ending."""
    return f"{_drama_slug(number // 5)}-part-{number % 5 + 1}"


def review(number: int, extra: str = "") -> str:
    """The file of a review; `extra` is a last paragraph, for those who change it."""
    dice = random.Random(number)
    published = _FIRST + number * _APART
    tags = [*dice.sample(_COMMON_TAGS, 2), f"rare {number // 20}"]
    paragraphs = [_paragraph(dice, dice.randint(50, 150)) for _ in range(6)]
    paragraphs[2] = f"## {_sentence(dice, 4).rstrip('.')}\n\n{paragraphs[2]}"
    if number:
        paragraphs[4] += f" More of this in [[{review_slug(number - 1)}|what came before]]."
    front = (
        f'title: "{_drama_title(number // 5)}: part {number % 5 + 1}"\n'
        f"author: {_writer_slug(dice.randrange(_writers(number)))}\n"
        f"published: {published:%Y-%m-%d %H:%M}\n"
        f"drama: {_drama_slug(number // 5)}\n"
        f"rating: {dice.randint(4, 10)}/10\n"
        f"tags: [{', '.join(tags)}]\n"
    )
    if number % 3 == 0:
        front += f'verdict: "{_sentence(dice, 9)}"\nspoilers: mild\n'
    return f"---\n{front}---\n" + "\n\n".join([*paragraphs, *filter(None, [extra])]) + "\n"


def _writers(reviews: int) -> int:
    return min(40, max(3, reviews // 100))


def _writer_slug(number: int) -> str:
    return f"{_GIVEN[number % 10].lower().replace('é', 'e')}-{_FAMILY[(number // 10 + number) % 10].lower()}"


def _writer(number: int) -> str:
    dice = random.Random(f"writer {number}")
    name = f"{_GIVEN[number % 10]} {_FAMILY[(number // 10 + number) % 10]}"
    return f"---\nname: {name}\nhandle: writer{number}\n---\n{_paragraph(dice, 30)}\n"


def _drama_slug(number: int) -> str:
    return _drama_title(number).lower().replace(" ", "-")


def _drama_title(number: int) -> str:
    return f"{_NAMES[number % 10]} {_NAMES[number // 10 % 10]} {number}"


def _drama(number: int) -> str:
    dice = random.Random(f"drama {number}")
    return (
        f'title: "{_drama_title(number)}"\n'
        f"released: {2000 + number % 25}-0{1 + number % 9}\n"
        f"platform: Netflix\nepisodes: {dice.randint(6, 20)}\n"
        f'writers: ["{dice.choice(_FAMILY)} {dice.choice(_GIVEN)}"]\n'
        f'cast:\n  - {{actor: "Actor {number % 97}", role: "{dice.choice(_GIVEN)}"}}\n'
        "genres: [drama]\ncountry: South Korea\n"
    )


def _paragraph(dice: random.Random, words: int) -> str:
    sentences = []
    while words > 0:
        length = min(words, dice.randint(5, 20))
        sentences.append(_sentence(dice, length))
        words -= length
    return " ".join(sentences)


def _sentence(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(_WORDS, k=words)).capitalize() + "."


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
