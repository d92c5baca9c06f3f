"""Pictures of pages, small enough for a repository. What is taken, and when, is up to the tests."""

from io import BytesIO
from pathlib import Path

from PIL import Image

COLOURS = 256


def save(png: bytes, path: Path) -> None:
    """Write a PNG with a palette: a page has few colours, and a third of the bytes will do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(BytesIO(png)) as picture:
        palette = picture.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        palette.save(path, optimize=True)
