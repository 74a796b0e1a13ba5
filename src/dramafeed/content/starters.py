"""Files to begin with: a new site, a new review, a new author. Never overwrites anything."""

from __future__ import annotations

from pathlib import Path

from dramafeed.content.names import person_slug, slugify
from dramafeed.errors import ContentError

_SITE = """\
# What the site is called and who speaks for it. Everything here can be changed later,
# except the handle once people follow it.
title: My K-drama blog
description: Reviews of Korean series by people who love them
language: en
timezone: UTC
handle: blog
"""

_AUTHOR = """\
---
name: {name}
# handle: {handle}          # people follow @{handle} at your domain; it cannot change later
# links: [{{name: My other home, url: "https://example.org/"}}]
---
Write two sentences about yourself here: readers see them beside your reviews.
"""

_REVIEW = """\
---
title: {title}
{author}{draft}# rating: 8/10
# spoilers: none          # none, mild, full, or "to episode 6"
# image: {{file: picture.jpg, alt: "What the picture shows", credit: "Who made it"}}
# tags: [romance, office]
---
{text}
"""

_EXAMPLE = """\
Welcome! This file is `{path}`. Open it in any text editor, write your first review and save: the page, the
feeds and your followers have it within seconds.

:::spoiler
A passage like this one stays folded until the reader opens it.
:::"""

_GITIGNORE = "var/\n.venv/\n"


def new_site(folder: Path) -> list[Path]:
    """Lay out a new site in a folder: `content/` with one author and one example review.

    Returns:
        The files made; what is there already stays as it is.
    """
    example = "content/reviews/hello.md"
    texts = {
        "content/site.yaml": _SITE,
        "content/authors/me.md": _AUTHOR.format(name="Your Name", handle="your_name"),
        example: review_text("Hello, world", "me", _EXAMPLE.format(path=example), draft=False),
        ".gitignore": _GITIGNORE,
    }
    return [path for name, text in texts.items() if (path := _write(folder / name, text))]


def new_review(content: Path, title: str, author: str = "") -> Path:
    """A ready-to-edit draft of a review.

    Raises:
        ContentError: a review of that name exists.
    """
    slug = slugify(title)
    if not slug:
        raise ContentError(title, "no letter or digit is left for a file name; give the title some words.")
    path = content / "reviews" / f"{slug}.md"
    text = review_text(title, author, "Write here.", draft=True)
    return _must(path, text)


def new_author(content: Path, name: str) -> Path:
    """A ready-to-edit author file.

    Raises:
        ContentError: an author of that name exists.
    """
    slug = person_slug(name)
    if not slug:
        raise ContentError(name, "no letter or digit is left for a file name; give the author a name.")
    handle = slug.replace("-", "_") if slug.isascii() else "your_handle"
    return _must(content / "authors" / f"{slug}.md", _AUTHOR.format(name=_quoted(name), handle=handle))


def review_text(title: str, author: str, text: str, *, draft: bool) -> str:
    """The text of a new review file."""
    byline = f"author: {_quoted(author)}\n" if author else ""
    hidden = "draft: true             # remove this line to publish\n" if draft else ""
    return _REVIEW.format(title=_quoted(title), author=byline, draft=hidden, text=text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _must(path: Path, text: str) -> Path:
    if _write(path, text) is None:
        raise ContentError(str(path), "exists already; edit it, or choose another name.")
    return path


def _write(path: Path, text: str) -> Path | None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return None
    return path
