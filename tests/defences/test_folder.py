"""Attacks and faults that arrive as files: the rest of the site goes on, and the writer is told."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from urllib.parse import unquote

import lxml.html
import pytest

from tests.content.html_check import check_safe
from tests.content.test_defences import XSS
from tests.defences.crawl import addresses
from tests.defences.watch import Watch
from tests.hostile import World, within
from tests.site import BASE_URL, Site


def problems(site: Site, path: str) -> list[str]:
    """What the writer is told of a file."""
    return [str(each) for each in site.publish().problems if each.path == path]


def refused(site: Site, front: str, *, name: str = "hostile", body: str = "Text.") -> str:
    """A file with this front matter is not published, everything else is; what its writer is told."""
    path = f"reviews/{name}.md"
    with within(megabytes=20, seconds=10):
        site.write(path, f"---\n{front}\n---\n{body}\n")
        site.review("good")
        site.run(6, step=2)
        told = problems(site, path)
    assert site.titles() == ["Good"]
    assert site.get("/reviews/good/").status_code == 200
    assert site.get(f"/reviews/{name}/").status_code == 404
    assert told
    assert told[0].startswith(f"{path}:")
    return told[0]


def test_alias_bombs(site: Site, watch: Watch) -> None:
    """A64: what would unpack to gigabytes is refused by its line, and so are more than 16 KB."""
    rows = [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    bomb = "\n".join(["a: &a [x, x, x, x, x, x, x, x, x]", *rows])
    assert ":2:4: A value that begins with `&`" in refused(site, bomb)
    assert "16 KB" in refused(site, "title: x\nnotes: " + "y" * 20_000)


def test_values_that_contain_themselves(site: Site, watch: Watch) -> None:
    """A65: a self-reference is refused by its line."""
    assert "&" in refused(site, "title: &a [*a]")


@pytest.mark.parametrize("deep", ["x: " + "[" * 6000, "x: " + "{a: " * 3500, "x: " + "[{b: " * 2000])
def test_deep_front_matter(site: Site, watch: Watch, deep: str) -> None:
    """A66: thousands of levels cost neither seconds nor a RecursionError."""
    assert "more than 8 deep" in refused(site, deep)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch hacked']", "!!python/name:os.system ''"]
)
def test_tags_that_make_objects(site: Site, watch: Watch, tag: str) -> None:
    """A67: no tag of YAML makes an object or runs anything; the message is friendly."""
    told = refused(site, f"title: {tag}")
    assert told.startswith("reviews/hostile.md:2:8: A value that begins with `!`")
    assert not list(site.folder.rglob("hacked"))


def test_values_mean_what_they_say(site: Site, watch: Watch) -> None:
    """A68: `yes`, `010`, `1:30` and dates stay what was written."""
    for number, title in enumerate(("yes", "010", "1:30", "1e3", "2022-01-01", "null", "~", "0x10")):
        site.review(f"t{number}", f"Text {number}.", title=title)
    site.review("rated", title="Rated", rating="010")
    site.run(6, step=2)
    assert {"yes", "010", "1:30", "1e3", "2022-01-01", "0x10"} <= set(site.titles())


def test_losses_are_told(site: Site, watch: Watch) -> None:
    """A68: what YAML would drop without a word, a hashtag or a repeated field, is told with its line."""
    assert "lost" in refused(site, "title: x\ntags: #a, b")
    assert "twice" in refused(site, "title: x\ntitle: y")


@pytest.mark.parametrize(
    "front, fix",
    [
        ("title: Move to Heaven: review", 'title: "Move to Heaven: review"'),
        ("title: @ann", 'title: "@ann"'),
        ("title: `x`", 'title: "`x`"'),
        ("title: x\npublished: 2026-13-45", ":3:12:"),
    ],
)
def test_what_yaml_cannot_read(site: Site, watch: Watch, front: str, fix: str) -> None:
    """A69: the message holds the line that works, or the very place."""
    assert fix in refused(site, front)


SLUGS = [
    "../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "%2e%2e%2fb",
    "..",
    ".",
    "a\\\\b",
    "a.b",
    "x" * 300,
    "a?b#c",
    "",
]
FILES = ["con", "..hidden..", "rain%2f..%2f", "a b'\"<c>", "레인", "n" * 200, "\u202eevil", "a\nb", "％２ｅ"]


def test_slugs(site: Site, watch: Watch) -> None:
    """A70: a slug that could leave its place is refused; a file's name becomes a harmless one."""
    for wish in SLUGS[:-1]:
        assert "slug" in refused(site, f'title: x\nslug: "{wish}"')
    site.remove("reviews/hostile.md")
    for number, name in enumerate(FILES):
        site.review(name, f"Text {number}.", title="x")
    site.run(6, step=2)
    shown = [item["url"] for item in json.loads(site.get("/feed.json").data)["items"]]
    assert len(shown) >= len(FILES) - 1
    for url in shown:
        path = unquote(url.removeprefix(BASE_URL))
        assert re.fullmatch(r"/reviews/[\w-]{1,200}/", path), path
        assert site.get(url).status_code == 200
    made = [path.relative_to(site.folder).parts[0] for path in site.folder.rglob("*")]
    assert set(made) == {"content", "var"}


def test_two_names_that_are_one(site: Site, watch: Watch) -> None:
    """A71: one name in NFD and NFC, or in other capitals: one is live, the other's writer is told."""
    site.write(unicodedata.normalize("NFC", "reviews/비.md"), "---\ntitle: One\nauthor: mina\n---\nA.\n")
    site.write(unicodedata.normalize("NFD", "reviews/비.md"), "---\ntitle: Two\nauthor: mina\n---\nB.\n")
    site.review("Rain", title="Three")
    site.review("rain", title="Four")
    site.review("good")
    site.run(6, step=2)
    assert len(site.titles()) == 3
    assert "Good" in site.titles()
    told = [str(each) for each in site.publish().problems]
    assert any("code points" in each for each in told)
    assert any("reviews/rain.md" in each and "reviews/Rain.md" in each for each in told)


def test_links_out_of_the_folder(site: Site, watch: Watch) -> None:
    """A72: what a link outside leads to is served nowhere: not as page, picture, download or feed."""
    secret = site.folder / "secret"
    secret.mkdir()
    (secret / "index.md").write_text("---\ntitle: Secret\n---\nhunter2\n")
    (secret / "p.jpg").write_bytes(b"hunter2")
    site.review("good", "![p](p.jpg) [[stolen]]", image="p.jpg")
    places = {"reviews/stolen.md": "index.md", "reviews/p.jpg": "p.jpg", "pages/stolen.md": "index.md",
              "authors/eve.md": "index.md"}  # fmt: skip
    for place, target in places.items():
        (site.content / place).parent.mkdir(exist_ok=True)
        (site.content / place).symlink_to(secret / target)
    (site.content / "reviews/folder").symlink_to(secret, target_is_directory=True)
    site.run(10)
    tried = addresses(site) | {
        f"/reviews/{name}" for name in ("p.jpg", "stolen.md", "folder/p.jpg", "stolen/", "folder/")
    }
    tried |= {
        "/content/reviews/p.jpg",
        "/media/p.jpg",
        "/media/../content/reviews/p.jpg",
        "/p.jpg",
        "/authors/eve/",
    }
    for path in tried:
        assert b"hunter2" not in site.get(path).data, path
    assert len(tried) > 20
    assert sum("leads out of the content folder" in str(each) for each in site.publish().problems) >= 4


def test_a_file_that_becomes_a_link(site: Site, watch: Watch) -> None:
    """A72: a file that is swapped for a link after it was published keeps its last good edition."""
    site.review("good", "Innocent.")
    site.run(6, step=2)
    (site.folder / "secret.md").write_text("---\ntitle: Good\nauthor: mina\n---\nhunter2\n")
    site.remove("reviews/good.md")
    (site.content / "reviews/good.md").symlink_to(site.folder / "secret.md")
    site.run(60, step=5)
    page = site.get("/reviews/good/")
    assert "Innocent." in page.text
    assert "hunter2" not in page.text


def test_scripts_in_reviews(site: Site, watch: Watch) -> None:
    """A73: the whole collection of tricks, in text and titles, is harmless on page, in feeds and in the
    object; and a browser is told to run nothing anyway.
    """
    for number, attack in enumerate(XSS):
        title = json.dumps(re.sub(r"[\x00-\x1f]", " ", attack))
        site.write(f"reviews/x{number}.md", f"---\ntitle: {title}\nauthor: mina\n---\n{attack}\n")
    site.run(10)
    items = json.loads(site.get("/feed.json").data)["items"]
    assert len(items) >= 20
    for item in items:
        check_safe(item["content_html"])
        page = site.get(item["url"])
        policy = page.headers["Content-Security-Policy"]
        assert "script-src" in policy or "default-src 'none'" in policy or "default-src 'self'" in policy
        assert "unsafe-inline" not in policy.partition("style-src")[0]
        for element in lxml.html.fromstring(page.data).iter():
            assert element.tag not in ("iframe", "object", "embed", "base", "form", "style"), attack
            assert element.tag != "script" or element.get("type") == "application/ld+json"
            assert not [name for name in element.attrib if name.startswith("on")]
            for name in ("href", "src", "action", "srcset"):
                assert not re.match(r"\s*(javascript|data|vbscript|file):", element.get(name, ""), re.I)
    outbox = site.document("/ap/actors/mina/outbox?page=1")
    for act in outbox["orderedItems"]:
        if isinstance(act["object"], dict):
            check_safe(act["object"]["content"].replace(' rel="tag"', ""))


ODD = "a\x0bb\x0c\x1b[31m\x7f\x85\ufffe\uffff]]> <![CDATA[ & \u2028\u202e\u0000".replace("\u0000", "")


def test_characters_that_break_xml(site: Site, watch: Watch) -> None:
    """A77: control characters, non-characters and `]]>` in every field leave every feed well-formed."""
    shown = json.dumps(ODD)
    front = f"title: {shown}\nauthor: mina\ntags: [{shown}]\n"
    site.write("reviews/odd.md", f"---\n{front}---\n{ODD}\n\n    {ODD}\n")
    site.write(
        "reviews/escaped.md",
        '---\ntitle: "x\\x0b\\uD800\\uFFFE"\nauthor: mina\n---\nText &#x0B; &#xFFFE; x.\n',
    )
    site.review("good")
    site.run(6, step=2)
    assert "Good" in site.titles()
    assert len(site.titles()) >= 2
    for feed in ("/feed.xml", "/atom.xml", "/sitemap.xml", "/opml", "/opml.xml"):
        answer = site.get(feed)
        if answer.status_code == 200:
            ET.fromstring(answer.data)  # noqa: S314 - our own output
    assert site.get("/feed.xml").status_code == site.get("/atom.xml").status_code == 200
    json.loads(site.get("/feed.json").data)


def test_half_written_files(site: Site, watch: Watch) -> None:
    """A83: a writer that saves in pieces, or truncates first, never replaces what is good."""
    site.review("vincenzo", "Whole and good.")
    site.run(6, step=2)
    whole = (site.content / "reviews/vincenzo.md").read_text().replace("Whole", "Better")
    for length in (0, 1, 5, 20, len(whole) // 2, len(whole) - 2):
        site.write("reviews/vincenzo.md", whole[:length], age=0)
        site.turn()
        site.clock.step(1)
        site.turn()
        assert "Whole and good." in site.get("/reviews/vincenzo/").text, length
    site.write("reviews/vincenzo.md", whole, age=0)
    site.run(10)
    assert "Better and good." in site.get("/reviews/vincenzo/").text


@pytest.mark.parametrize(
    "rest", [b"", b"---", b"---\ntitle: a\x00b\n---\nx", b"\xff\xfe\x00", b"\x89PNG\r\n"]
)
def test_files_that_are_no_text(site: Site, watch: Watch, rest: bytes) -> None:
    """A83: an edit that leaves nothing readable keeps the last good edition up, and is told."""
    site.review("vincenzo", "Whole and good.")
    site.run(6, step=2)
    (site.content / "reviews/vincenzo.md").write_bytes(rest)
    site.touch("reviews/vincenzo.md", 10)
    site.run(60, step=10)
    assert "Whole and good." in site.get("/reviews/vincenzo/").text
    assert problems(site, "reviews/vincenzo.md")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_files_from_other_editors(site: Site, watch: Watch, encoding: str) -> None:
    """A83: a byte order mark, UTF-16 and foreign line ends are read as what they are."""
    text = "---\r\ntitle: 이상한 변호사\r\nauthor: mina\r\n---\r\nGut, sehr gut.\r\n"
    raw = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    site.write("reviews/odd.md", "")
    (site.content / "reviews/odd.md").write_bytes(raw)
    site.touch("reviews/odd.md", 10)
    site.run(6, step=2)
    assert site.titles() == ["이상한 변호사"]


def test_the_folder_disappears(world: World, site: Site, watch: Watch) -> None:
    """A82: renamed away, emptied, or swapped for another checkout: nothing is withdrawn, and it says why."""
    server = world.server()
    site.follow(server)
    for number in range(5):
        site.review(f"r{number}")
    site.settle()
    assert len(server.posts) == 5
    away = site.folder / "away"
    site.content.rename(away)
    site.settle()
    site.content.mkdir()
    site.settle()
    (site.content / "reviews").mkdir()
    (site.content / "reviews/other.md").write_text("---\ntitle: Other\n---\nText.\n")
    site.run(3600, step=300)
    assert len(server.posts) >= 5
    assert not server.graves
    assert all(site.get(f"/reviews/r{number}/").status_code == 200 for number in range(5))
    assert site.publish().removals_held
