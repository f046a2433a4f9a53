"""Single images, folders of images and glob patterns."""

from __future__ import annotations

import glob
import re
from collections.abc import Generator
from os import PathLike
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.errors import SourceError
from motionseg.core.types import Frame
from motionseg.io._source import Picture, Source, read_bytes

__all__ = ["IMAGE_SUFFIXES", "decode_image", "natural_key", "open_images", "read_image"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".webp"})


def read_image(path: str | PathLike[str], *, grey: bool = False) -> Frame:
    """Read one image file as a frame.

    Parameters
    ----------
    path : path
        A png, jpg, bmp, tif, ppm, pgm or webp file.
    grey : bool
        Give the grey picture, else BGR (a grey image thrice).

    Returns
    -------
    uint8 (H, W, 3), or (H, W) with `grey`
        Upright (EXIF orientation is applied), without alpha; of 16-bit images the upper 8 bits.

    Raises
    ------
    SourceError
        Not there, not readable, not an image, or cut short.
    """
    return _read(Path(path), grey=grey, index=None)


def _read(path: Path, *, grey: bool, index: int | None) -> Frame:
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    return decode_image(read_bytes(path, index), path, flags, index)


def decode_image(data: bytes, path: Path, flags: int, frame: int | None = None) -> npt.NDArray[Any]:
    """The picture in `data`, the content of `path`, as cv2 decodes it with `flags`. Raises SourceError."""
    if not data:
        raise SourceError("the file is empty", source=str(path), frame=frame)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise SourceError(f"not a readable image: {error.err}", source=str(path), frame=frame) from error
    if image is None or _is_cut_jpeg(data):
        what = "not a readable image (damaged, cut short or of another kind)"
        raise SourceError(what, source=str(path), frame=frame)
    return image


def _is_cut_jpeg(data: bytes) -> bool:
    # OpenCV 4 fills what is missing of a JPEG with grey and says nothing. Whole ones have their end marker after
    # the last scan starts (a thumbnail's comes earlier).
    return data.startswith(b"\xff\xd8") and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def natural_key(path: Path) -> tuple[list[tuple[str, int]], str]:
    """Sorts img2 before img10, folder by folder."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", str(path).lower())
    return [(text, int(number or -1)) for text, number in parts], str(path)


def find_images(source: str) -> list[Path]:
    """The image files of a folder or glob pattern (or one file) in natural order; hidden and other files are left out.

    Raises
    ------
    SourceError
        There are none, or the folder cannot be read.
    """
    path = Path(source)
    try:
        if path.is_dir():
            found, where = list(path.iterdir()), "in the folder"
        else:
            found = [path] if path.is_file() else [Path(p) for p in glob.glob(source, recursive=True)]
            where = "among the files that match"
    except (OSError, ValueError) as error:
        raise SourceError(getattr(error, "strerror", None) or str(error), source=source) from error
    if not found and not path.is_dir():
        raise SourceError("no file matches this pattern", source=source)
    images = [p for p in found if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".") and p.is_file()]
    if not images:
        raise SourceError(f"no image {where} ({len(found)} others)", source=source)
    return sorted(images, key=natural_key)


def open_images(source: str, *, grey: bool, fps: float) -> Source:
    """A folder, pattern or single image file as a video of `fps` frames a second."""
    paths = find_images(source)
    return Source(
        name=source,
        pictures=_pictures(paths, grey=grey, fps=fps),
        fps=fps,
        n_frames=len(paths),
        duration=len(paths) / fps,
        is_live=False,
    )


def _pictures(paths: list[Path], *, grey: bool, fps: float) -> Generator[Picture, None, None]:
    for index, path in enumerate(paths):
        yield Picture(str(path), index / fps, lambda path=path, index=index: _read(path, grey=grey, index=index))
