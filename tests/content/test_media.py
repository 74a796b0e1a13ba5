"""Pictures: small, clean, and named by their source."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from dramafeed.content import BadPictureError, ingest
from dramafeed.content import media as recipes

from .conftest import picture_bytes


def save(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


def opened(media: Path, name: str) -> Image.Image:
    return Image.open(io.BytesIO((media / name).read_bytes()))


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return tmp_path / "media"


@pytest.mark.parametrize(
    "name, mode",
    [("a.jpg", "RGB"), ("a.jpeg", "CMYK"), ("a.png", "RGB"), ("a.png", "L"), ("a.png", "P"), ("a.png",
     "I;16"),
     ("a.gif", "P"), ("a.webp", "RGB"), ("a.bmp", "1"), ("a.tiff", "RGB"), ("a.tif", "F"), ("a.avif", "RGB")],
)  # fmt: skip
def test_usual_formats_become_jpeg(tmp_path: Path, media: Path, name: str, mode: str) -> None:
    """Whatever format a picture has, its derived picture is an RGB JPEG of the same shape."""
    picture = ingest(save(tmp_path / name, Image.new(mode, (40, 30))), media)
    assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", 40, 30)
    assert picture.size == (media / picture.name).stat().st_size
    assert (opened(media, picture.name).format, opened(media, picture.name).mode) == ("JPEG", "RGB")


@pytest.mark.parametrize("name, options", [("a.png", {}), ("a.webp", {"lossless": True})])
def test_transparent_pictures_stay_png(
    tmp_path: Path, media: Path, name: str, options: dict[str, object]
) -> None:
    """Only real transparency keeps a picture from becoming a JPEG."""
    path = save(tmp_path / name, Image.new("RGBA", (4, 3), (1, 2, 3, 100)), **options)
    assert ingest(path, media).media_type == "image/png"
    save(path, Image.new("RGBA", (4, 3), (1, 2, 3, 255)), **options)
    assert ingest(path, media).media_type == "image/jpeg"


def test_large_pictures_shrink(tmp_path: Path, media: Path) -> None:
    """The longest side is at most 1600 pixels; small pictures are not blown up."""
    picture = ingest(save(tmp_path / "a.png", Image.new("RGB", (3200, 100))), media)
    assert (picture.width, picture.height) == (1600, 50)


def test_pictures_stand_upright(tmp_path: Path, media: Path) -> None:
    """The camera's orientation is applied."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = ingest(save(tmp_path / "a.jpg", Image.new("RGB", (40, 30)), exif=exif), media)
    assert (picture.width, picture.height) == (30, 40)


@pytest.mark.parametrize("alpha", [100, 255])
def test_metadata_stays_behind(tmp_path: Path, media: Path, alpha: int) -> None:
    """Places, comments, descriptions and colour profiles are gone."""
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (50.0, 1.0, 2.0)}
    exif[0x010E] = "at home"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "a.webp"
    save(path, Image.new("RGBA", (8, 8), (9, 9, 9, alpha)), exif=exif, icc_profile=profile, xmp=b"<secret/>")
    derived = opened(media, ingest(path, media).name)
    assert not derived.getexif()
    assert not {"exif", "icc_profile", "xmp", "comment"} & derived.info.keys()
    assert b"secret" not in (media / ingest(path, media).name).read_bytes()


def test_jpeg_comments_stay_behind(tmp_path: Path, media: Path) -> None:
    """A comment inside the source's JPEG does not travel."""
    path = save(tmp_path / "a.jpg", Image.new("RGB", (8, 8)), comment=b"secret")
    assert b"secret" not in (media / ingest(path, media).name).read_bytes()


def test_wide_colours_are_converted(tmp_path: Path, media: Path) -> None:
    """A profile is applied before it is dropped; a broken one is ignored."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (lab, b"nonsense"):
        path = save(tmp_path / "a.png", Image.new("RGB", (8, 8), (200, 10, 10)), icc_profile=profile)
        colour = opened(media, ingest(path, media).name).getpixel((4, 4))
        assert isinstance(colour, tuple)
        assert abs(colour[0] - 200) < 8


def test_names_depend_on_source_and_recipe(
    tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same source has the same name everywhere; a new recipe gives a new one."""
    (tmp_path / "a.jpg").write_bytes(picture_bytes())
    (tmp_path / "b.jpg").write_bytes(picture_bytes())
    first = ingest(tmp_path / "a.jpg", media)
    assert ingest(tmp_path / "b.jpg", tmp_path / "other").name == first.name
    assert len(first.name) == len("0" * 32 + ".jpg")
    monkeypatch.setattr(recipes, "RECIPE", "next")
    assert ingest(tmp_path / "a.jpg", media).name != first.name


def test_what_is_there_is_not_made_again(tmp_path: Path, media: Path) -> None:
    """A derived picture is written once, and leaves nothing else behind."""
    (tmp_path / "a.jpg").write_bytes(picture_bytes())
    first = ingest(tmp_path / "a.jpg", media)
    before = (media / first.name).stat()
    assert ingest(tmp_path / "a.jpg", media) == first
    assert (media / first.name).stat().st_mtime_ns == before.st_mtime_ns
    assert [p.name for p in media.iterdir()] == [first.name]
    assert before.st_mode & 0o777 == 0o644


def test_damaged_derived_picture_is_made_again(tmp_path: Path, media: Path) -> None:
    """An empty file under a derived name (a full disk, a bad copy) does not stay."""
    (tmp_path / "a.jpg").write_bytes(picture_bytes())
    first = ingest(tmp_path / "a.jpg", media)
    (media / first.name).write_bytes(b"")
    assert ingest(tmp_path / "a.jpg", media) == first
    assert (media / first.name).stat().st_size == first.size


def test_failed_write_leaves_nothing(tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, no half picture stays."""
    (tmp_path / "a.jpg").write_bytes(picture_bytes())

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ingest(tmp_path / "a.jpg", media)
    assert list(media.iterdir()) == []


@pytest.mark.parametrize(
    "name, content, message",
    [("a.jpg", b"", "no picture that can be read"), ("a.jpg", b"text", "no picture that can be read"),
     ("a.jpg", picture_bytes()[:200], "no picture that can be read"),
     ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "no picture that can be read"),
     ("a.jpg", b"<svg onload='x'/>", "no picture that can be read"),
     ("a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture that can be read"),
     ("a.HEIC", b"x", "iPhone photo"), ("a.svg", b"<svg/>", "SVG")],
)  # fmt: skip
def test_what_is_no_picture(tmp_path: Path, media: Path, name: str, content: bytes, message: str) -> None:
    """Broken files, other formats and drawings are refused with the reason."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadPictureError, match=message):
        ingest(tmp_path / name, media)


def test_missing_and_oversized_sources(tmp_path: Path, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing file and one beyond the limit are refused before they are read."""
    with pytest.raises(BadPictureError, match="No such file"):
        ingest(tmp_path / "gone.jpg", media)
    monkeypatch.setattr(recipes, "MAX_SOURCE", 10)
    (tmp_path / "a.jpg").write_bytes(picture_bytes())
    with pytest.raises(BadPictureError, match="larger than"):
        ingest(tmp_path / "a.jpg", media)
