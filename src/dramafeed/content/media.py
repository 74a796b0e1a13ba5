"""Pictures: whatever a writer drops becomes a small JPEG (or PNG) without metadata.

The only importer of Pillow. A derived picture's name depends on the bytes of its source and on the
recipe, not on the encoder, so that it is the same on every machine. Will not decide which pictures
are public, and never touches the source.
"""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
import warnings
from pathlib import Path

from PIL import Image, ImageCms, ImageOps

from dramafeed.errors import ContentError
from dramafeed.model import Picture

RECIPE = "1"  # goes into every name: raise it when the same source must look different
MAX_SIDE = 1600
MAX_SOURCE = 50 * 1024 * 1024
MAX_PIXELS = 60_000_000
_JPEG_QUALITY = 82
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF")
_TYPES = {".jpg": "image/jpeg", ".png": "image/png"}
_HINTS = {
    ".heic": "This is an iPhone photo (HEIC)",
    ".heif": "This is an iPhone photo (HEIF)",
    ".svg": "SVG drawings are not accepted, because they can hold programs",
}


class BadPictureError(ContentError):
    """A picture that cannot be shown; `message` says why and `fix` what to do."""

    def __init__(self, path: str, message: str, fix: str) -> None:
        super().__init__(path, message)
        self.message = message
        self.fix = fix


def ingest(path: Path, media_dir: Path) -> Picture:
    """Makes the derived picture of `path` in `media_dir`, unless it is there already.

    Args:
        path: a JPEG, PNG, GIF, WebP, AVIF, BMP or TIFF file.
        media_dir: where derived pictures live; made when it is missing.

    Raises:
        BadPictureError: missing, too large, of another format, or broken.
    """
    source = _read(path)
    name = hashlib.sha256(source + RECIPE.encode()).hexdigest()[:32]
    for suffix in _TYPES:
        known = media_dir / f"{name}{suffix}"
        described = _describe(known) if known.is_file() else None
        if described:
            return described
    picture = _decode(source, path)
    suffix, content = _encode(picture)
    target = media_dir / f"{name}{suffix}"
    _write(target, content)
    return Picture(target.name, _TYPES[suffix], picture.width, picture.height, len(content))


def _read(path: Path) -> bytes:
    hint = _HINTS.get(path.suffix.lower())
    if hint:
        raise BadPictureError(path.name, hint, "Save it as JPEG or PNG.")
    try:
        if path.stat().st_size > MAX_SOURCE:
            limit = MAX_SOURCE // 1024 // 1024
            raise BadPictureError(path.name, f"The picture is larger than {limit} MB", "Save it smaller.")
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise BadPictureError(
            path.name, f"The picture cannot be read ({reason})", "Check the file."
        ) from None


def _describe(path: Path) -> Picture | None:
    try:
        with Image.open(path) as picture:
            width, height = picture.size
    except OSError:
        return None  # somebody else's half file: make it again
    return Picture(path.name, _TYPES[path.suffix], width, height, path.stat().st_size)


def _decode(source: bytes, path: Path) -> Image.Image:
    """The picture upright, small enough, in sRGB, and with nothing but pixels in it."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures on its own terms; the limit below is ours.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(source), formats=_FORMATS) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise _too_many_pixels(path)
                opened.draft("RGB", (MAX_SIDE * 2, MAX_SIDE * 2))
                return _bare(opened)
    except BadPictureError:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels(path) from None
    except Exception as error:  # noqa: BLE001 - decoders of broken files raise whatever they meet
        reason = type(error).__name__
        message = f"The file is no picture that can be read ({reason})"
        raise BadPictureError(path.name, message, "Save it again as JPEG or PNG.") from None


def _too_many_pixels(path: Path) -> BadPictureError:
    limit = MAX_PIXELS // 1_000_000
    message = f"The picture has more than {limit} million pixels"
    return BadPictureError(path.name, message, f"Make it at most {MAX_SIDE * 2} pixels wide.")


def _bare(opened: Image.Image) -> Image.Image:
    profile = opened.info.get("icc_profile")
    picture = ImageOps.exif_transpose(opened)
    picture = _plain_mode(picture)
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    if profile:
        picture = _to_srgb(picture, profile)
    clean = Image.new(picture.mode, picture.size)  # comments, GPS and profiles stay behind
    clean.paste(picture)
    return clean


def _plain_mode(picture: Image.Image) -> Image.Image:
    """RGB, or RGBA when a part of it really is transparent."""
    if picture.mode.startswith("I"):  # 16 bits of grey: keep the upper eight
        picture = picture.convert("I").point(lambda value: value / 256).convert("L")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        lowest = picture.getchannel("A").getextrema()[0]
        return picture if lowest != 255 else picture.convert("RGB")
    return picture.convert("RGB")


def _to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """Phones save in wider colour spaces; without the profile those colours would look dull."""
    try:
        origin = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            picture, origin, ImageCms.createProfile("sRGB"), outputMode=picture.mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture
    return converted or picture


def _encode(picture: Image.Image) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    if picture.mode == "RGBA":
        picture.save(buffer, "PNG", optimize=True)
        return ".png", buffer.getvalue()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True, progressive=True)
    return ".jpg", buffer.getvalue()


def _write(target: Path, content: bytes) -> None:
    """Writes at once or not at all: a half-written picture must never have its final name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
