"""Bodies on the four surfaces."""

from __future__ import annotations

import pytest

from dramafeed.content import Surface, render
from dramafeed.content.markdown_source import target_key
from dramafeed.model import BodyFormat, Picture

POSTER = Picture("0.jpg", "image/jpeg", 400, 300, 1)
LINKS = {"other.md": "https://b.example/reviews/other/", "other": "https://b.example/reviews/other/",
         "my review.md": "https://b.example/reviews/my/"}  # fmt: skip
PICTURES = {
    "poster.jpg": ("https://b.example/media/0.jpg", POSTER),
    "my pic.png": ("https://b.example/media/1.png", POSTER),
}
IMG = '<img src="https://b.example/media/0.jpg" alt="A roof" width="400" height="300"'


def page(body: str, surface: Surface = Surface.PAGE, body_format: BodyFormat = BodyFormat.MARKDOWN) -> str:
    return render(
        body, body_format, surface, links=LINKS, pictures=PICTURES,
        page_url="https://b.example/reviews/rain/", base_url="https://b.example",
    ).strip()  # fmt: skip


def feed(body: str) -> str:
    return page(body, Surface.FEED)


def post(body: str) -> str:
    return page(body, Surface.FEDIVERSE)


def plain(body: str) -> str:
    return page(body, Surface.PLAIN)


# ---------------------------------------------------------------------------- links


@pytest.mark.parametrize(
    "link",
    ["[x](other.md)", "[x](other)", "[[other|x]]", "[[other.md|x]]", "[x]\n\n[x]: other.md",
     "| [[other\\|x]] |\n|--|"],
)  # fmt: skip
def test_links_to_other_reviews(link: str) -> None:
    """Markdown's and Obsidian's links to content files lead to the given addresses."""
    assert '<a href="https://b.example/reviews/other/">x</a>' in page(link)


@pytest.mark.parametrize(
    "link", ["[x](my review.md)", "[x](<my review.md>)", "[x](my%20review.md)", "[[my review.md|x]]"]
)
def test_spaces_in_targets(link: str) -> None:
    """Targets with spaces work in every spelling."""
    assert page(link) == '<p><a href="https://b.example/reviews/my/">x</a></p>'


def test_fragments() -> None:
    """A heading of another review or of this one can be linked; elsewhere the page is named in full."""
    assert 'href="https://b.example/reviews/other/#h-the-cast"' in page("[[other#The Cast]]")
    assert page("[x](#the-cast)\n\n# The Cast") == (
        '<p><a href="#h-the-cast">x</a></p>\n<h2 id="h-the-cast">The Cast</h2>'
    )
    assert 'href="https://b.example/reviews/rain/#h-the-cast"' in feed("[x](#the-cast)")


def test_unresolved_links_keep_their_words() -> None:
    """A link that leads nowhere is text, with what is inside it."""
    assert page("[see *this*](gone.md) and [[gone too]]") == "<p>see <em>this</em> and gone too</p>"


def test_addresses_of_the_site() -> None:
    """`/about/` means the site's own page."""
    assert page("[x](/about/)") == '<p><a href="https://b.example/about/">x</a></p>'


@pytest.mark.parametrize(
    "text, shown",
    [("see https://x.example/a_b_c.", 'see <a href="https://x.example/a_b_c">https://x.example/a_b_c</a>.'),
     ("(https://x.example/a_(b))", '(<a href="https://x.example/a_(b)">https://x.example/a_(b)</a>)'),
     ("‘https://x.example/’", '‘<a href="https://x.example/">https://x.example/</a>’'),
     ("`https://x.example/`", "<code>https://x.example/</code>"),
     ("[https://x.example/](gone.md)", '<a href="https://x.example/">https://x.example/</a>'),
     ("https://", "https://"), ("https://[x y", "https://[x y"),
     ("[[1]](https://x.example/)", '<a href="https://x.example/">[1]</a>'),
 ("<https://x.example/>", '<a href="https://x.example/">https://x.example/</a>')],
)  # fmt: skip
def test_bare_addresses(text: str, shown: str) -> None:
    """Web addresses in running text become links without the marks around them."""
    assert page(text) == f"<p>{shown}</p>"


def test_target_key() -> None:
    """Targets are looked up as writers mean them."""
    assert target_key("my%20review.md#the%20cast") == ("my review.md", "the cast")


# ---------------------------------------------------------------------------- pictures


def test_figure() -> None:
    """A picture alone in its paragraph is a figure with size, lazy loading and its title as caption."""
    assert page('![A roof](poster.jpg "At night")') == (
        f'<figure>{IMG} loading="lazy"><figcaption>At night</figcaption></figure>'
    )
    assert feed("![[poster.jpg|A roof]]") == f"<figure>{IMG}></figure>"
    assert page("So ![A roof](poster.jpg) it is") == f'<p>So {IMG} loading="lazy"> it is</p>'


def test_obsidian_widths_are_no_descriptions() -> None:
    """`![[pic.png|300]]` names a width, not what the picture shows."""
    assert 'alt=""' in page("![[my pic.png|300]]")


def test_pictures_elsewhere_are_links() -> None:
    """Nothing is loaded from other servers into the reader's page."""
    assert page("![A roof](https://x.example/a.jpg)") == '<p><a href="https://x.example/a.jpg">A roof</a></p>'
    assert page("[![A roof](https://x.example/a.jpg)](other.md)").count("<a ") == 1


def test_missing_pictures_leave_their_description() -> None:
    """A picture that is not there is its description."""
    assert page("![A roof](gone.jpg)") == "<p>A roof</p>"


def test_posts_have_no_pictures() -> None:
    """In the fediverse pictures are attachments: the text has neither them nor empty paragraphs."""
    assert post("One.\n\n![A roof](poster.jpg)\n\nTwo.") == "<p>One.</p>\n\n<p>Two.</p>"
    assert plain("One.\n\n![A roof](poster.jpg)\n\nTwo.") == "One.\n\nTwo."


# ---------------------------------------------------------------------------- spoilers

SECRET = "Open.\n\n:::spoiler The *end*\nShe **leaves**.\n\n# Why\n\n- rain\n:::\n\nClosed."


def test_spoiler_on_the_page() -> None:
    """A passage is folded without script and keeps its markup; its label is text."""
    assert page(SECRET) == (
        '<p>Open.</p>\n<details class="spoiler"><summary>Spoiler: The *end*</summary>'
        '<p>She <strong>leaves</strong>.</p>\n<h2 id="h-why">Why</h2>\n<ul>\n<li>rain</li>\n</ul>\n'
        "</details>\n<p>Closed.</p>"
    )


@pytest.mark.parametrize("surface", [Surface.FEED, Surface.FEDIVERSE])
def test_spoiler_elsewhere(surface: Surface) -> None:
    """Feeds and posts carry a line that leads to the page, and not a word of the passage."""
    assert page(SECRET, surface) == (
        '<p>Open.</p>\n<p><a href="https://b.example/reviews/rain/">Spoiler: read it on the page</a></p>\n'
        "<p>Closed.</p>"
    )


def test_spoiler_in_plain_text_form() -> None:
    """Summaries and search never have a word of it."""
    assert plain(SECRET) == "Open.\n\nClosed."


@pytest.mark.parametrize("body_format", list(BodyFormat))
@pytest.mark.parametrize(
    "mark", [":::spoiler", "::: spoiler", "::::Spoiler", ":::spoilers The end", "  :::spoiler"]
)
def test_spellings_of_the_mark(mark: str, body_format: BodyFormat) -> None:
    """The mark is known in the spellings that people use, in both formats."""
    closing = ":" * mark.count(":")
    body = f"Open.\n{mark}\nsecret\n\nsecret\n{closing}\nClosed."
    for surface in (Surface.FEED, Surface.FEDIVERSE, Surface.PLAIN):
        assert "secret" not in page(body, surface, body_format)
        assert "Closed." in page(body, surface, body_format)
    folded = page(body, Surface.PAGE, body_format).partition("<details")[2].partition("</details>")[0]
    assert folded.count("secret") == 2


def test_nested_spoilers() -> None:
    """A passage inside a passage stays inside, for every surface."""
    body = "::::spoiler\none\n:::spoiler\ntwo\n:::\nthree\n::::\nfour"
    assert page(body).count("<details") == 2
    assert plain(body) == "four"


def test_unclosed_spoiler_hides_the_rest() -> None:
    """Whatever goes wrong with the marks, the passage does not come out."""
    assert plain("One.\n\n:::spoiler\ntwo\n\nthree") == "One."


def test_footnotes_of_a_spoiler_stay_in_it() -> None:
    """A footnote that only a passage refers to is shown inside the passage, and nowhere else."""
    body = (
        "Open[^a].\n\n:::spoiler\nShe leaves[^b].\n:::\n\n[^a]: harmless\n[^b]: secret[^c]\n[^c]: secret too"
    )
    inside, _, outside = page(body).partition("</details>")
    assert inside.count("secret") == 2
    assert "secret" not in outside
    assert "harmless" in outside
    for surface in (Surface.FEED, Surface.FEDIVERSE, Surface.PLAIN):
        assert "secret" not in page(body, surface)
    assert "harmless" in feed(body)


def test_footnote_written_inside_a_spoiler_is_never_shown_outside() -> None:
    """A footnote whose text stands in a passage is not given away by a mark outside it."""
    body = "Open[^a].\n\n:::spoiler\nShe leaves[^a].\n\n[^a]: secret\n:::\n"
    for surface in (Surface.FEED, Surface.FEDIVERSE, Surface.PLAIN):
        assert "secret" not in page(body, surface)
    assert "secret" not in page(body).partition("</details>")[2]


# ---------------------------------------------------------------------------- the rest


def test_headings() -> None:
    """Headings stand below the title, have unique anchors on the page, and are bold lines in posts."""
    body = "# Plot\n\n## Plot\n\n###### !!!"
    assert page(body) == '<h2 id="h-plot">Plot</h2>\n<h3 id="h-plot-2">Plot</h3>\n<h6 id="h-section">!!!</h6>'
    assert feed(body).startswith("<h2>Plot</h2>")
    assert post(body) == (
        "<p><strong>Plot</strong></p>\n<p><strong>Plot</strong></p>\n<p><strong>!!!</strong></p>"
    )


def test_tables() -> None:
    """Tables keep their sides on the page and become lines in posts and plain text."""
    body = "| a | *b* |\n|:--|--:|\n| c | <d |"
    assert '<th class="right"><em>b</em></th>' in page(body)
    assert "<th>a</th>" in feed(body)
    assert post(body) == "<p>a | b<br>c | &lt;d</p>"
    assert plain(body) == "a | b\n\nc | <d"


def test_footnotes() -> None:
    """Notes are linked both ways on the page, and readable without anchors elsewhere."""
    body = "One[^1], two^[inline].\n\n[^1]: first"
    assert page(body) == (
        '<p>One<sup id="fnref-1"><a href="#fn-1">1</a></sup>, two<sup id="fnref-2">'
        '<a href="#fn-2">2</a></sup>.</p>\n'
        '<ol>\n<li id="fn-1"><p>first</p>\n</li><li id="fn-2"><p>inline</p>\n</li></ol>'
    )
    assert "<p>One<sup>1</sup>, two<sup>2</sup>.</p>" in feed(body)
    assert "<p>One[1], two[2].</p>" in post(body)
    assert plain(body) == "One, two."


def test_code_quotes_and_strikes() -> None:
    """What posts cannot show becomes what they can."""
    body = "~~old~~ `new`\n\n```py\na < b\nc\n```\n\n> quote\n\n---\n\n1. x\n2. y"
    assert "<s>old</s> <code>new</code>" in page(body)
    assert "<pre><code>a &lt; b\nc\n</code></pre>" in page(body)
    assert post(body) == (
        "<p>old <code>new</code></p>\n<p><code>a &lt; b<br>c</code></p>\n<blockquote>\n<p>quote</p>\n"
        "</blockquote>\n\n<ol>\n<li>x</li>\n<li>y</li>\n</ol>"
    )


def test_html_is_shown_as_text() -> None:
    """Raw HTML of a writer is text."""
    assert page("a <b>b</b> &amp; c") == "<p>a &lt;b&gt;b&lt;/b&gt; &amp; c</p>"


def test_plain_text_bodies() -> None:
    """Plain text keeps paragraphs and lines, and shows every sign as it was typed."""
    body = "One *two* <b>\nthree ‘four’\n\n\nFive https://x.example/?a=1&b=2."
    assert page(body, Surface.PAGE, BodyFormat.PLAIN) == (
        "<p>One *two* &lt;b&gt;<br>three ‘four’</p>\n"
        '<p>Five <a href="https://x.example/?a=1&amp;b=2">https://x.example/?a=1&amp;b=2</a>.</p>'
    )
    assert page(body, Surface.PLAIN, BodyFormat.PLAIN) == (
        "One *two* <b> three ‘four’\n\nFive https://x.example/?a=1&b=2."
    )


def test_rendering_is_repeatable() -> None:
    """The same body gives the same bytes again."""
    assert page(SECRET + "\n\n[^1] x\n\n[^1]: y") == page(SECRET + "\n\n[^1] x\n\n[^1]: y")
