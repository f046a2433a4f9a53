"""What collages are made of: photographs to stand before, and things cut out of them."""

from __future__ import annotations

import glob
from functools import lru_cache
from os import PathLike
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.errors import SourceError
from motionseg.core.types import Frame
from motionseg.datasets._sprites import Image, blob, box, ellipse, texture
from motionseg.datasets.base import images_in
from motionseg.io.images import IMAGE_SUFFIXES, read_image

__all__ = ["Material"]

Outline = npt.NDArray[np.float64]

_LARGEST = 360  # pixels of a cut-out's longer side: more is never shown
_LEAST = 24  # pixels of its shorter side: less shows nothing but its outline
_AT_BORDER = 0.3  # share of an outline along the border of its picture, above which a thing is cut off


class Material:
    """Photographs and cut-outs in a folder, or, without one, textures and shapes that are made up.

    Parameters
    ----------
    root : path, optional
        Below it, the pictures in folders called ``photos``; and wherever a folder ``labels`` stands beside a folder
        ``images`` with the same layout, outlines of things in them: text files of YOLO's segmentation format (a class,
        then x y x y ... as shares of width and height, one thing a line). Labels without a picture are passed over; so
        are things that are small (below 24 pixels) or cut off by the border of their picture.

    Raises
    ------
    SourceError
        There is no such folder, nothing of that kind in it, a label file reads otherwise, or a picture with labels
        cannot be read. Photographs are not looked at before they are wanted.

    Attributes
    ----------
    photos : list of Path
        Photographs, in the order of their names.
    outlines : list of (Path, float64 (N, 2))
        Pictures, and the outline in each, pixels.

    Notes
    -----
    The last 700 pictures and 1000 cut-outs are kept in memory, for all objects of a process together: some 0.7 MB for a
    picture of 480 x 480 pixels, 0.5 MB at most for a cut-out.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Material().photo(rng, 60, 80).shape, Material().cutout(rng, 30).shape[2]
    ((60, 80, 3), 4)
    """

    def __init__(self, root: str | PathLike[str] | None = None) -> None:
        self.root = None if root is None else Path(root)
        self.photos: list[Path] = []
        self.outlines: list[tuple[Path, Outline]] = []
        if self.root is None:
            return
        if not self.root.is_dir():
            raise SourceError("there is no such folder", source=str(root))
        for folder in sorted(self.root.rglob("photos")):
            self.photos += images_in(folder)
        for labels in sorted(self.root.rglob("labels")):
            self._read_outlines(labels, labels.parent / "images")
        if not self.photos and not self.outlines:
            raise SourceError("holds neither photos/ nor images/ with labels/", source=str(root))

    def _read_outlines(self, labels: Path, images: Path) -> None:
        for file in sorted(labels.rglob("*.txt")):
            found = sorted((images / file.relative_to(labels).parent).glob(f"{glob.escape(file.stem)}.*"))
            picture = next((path for path in found if path.suffix.lower() in IMAGE_SUFFIXES), None)
            if picture is None:
                continue
            height, width = _read(picture).shape[:2]
            try:
                lines = file.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise SourceError(f"not a readable text file: {error}", source=str(file)) from error
            for number, line in enumerate(lines, 1):
                try:
                    values = np.array(line.split()[1:], np.float64).reshape(-1, 2)
                except ValueError as error:
                    raise SourceError(f"line {number} is no class with x y pairs", source=str(file)) from error
                if not ((values >= 0) & (values <= 1)).all():  # nan, too
                    raise SourceError(f"line {number} has shares outside [0, 1]", source=str(file))
                outline = values * [width, height]
                if len(outline) >= 8 and _is_whole(outline, width, height):
                    self.outlines.append((picture, outline))

    def photo(self, rng: np.random.Generator, height: int, width: int) -> Frame:
        """Draw a photograph: a part of one, mirrored or not, or a texture.

        Parameters
        ----------
        rng : numpy.random.Generator
            Decides which; it is moved on.
        height, width : int
            Pixels; a smaller photograph is enlarged.

        Returns
        -------
        uint8 (height, width, 3)
            BGR, the caller's own.

        Raises
        ------
        SourceError
            The photograph cannot be read.
        """
        if not self.photos or rng.random() < 0.06:
            color = tuple(rng.uniform(30, 220, 3))
            return texture(rng, height, width, color, contrast=rng.uniform(4, 40))
        picture = _read(self.photos[rng.integers(len(self.photos))])
        rows, columns = picture.shape[:2]
        least = max(height / rows, width / columns)
        scale = least * np.exp(rng.uniform(0, 0.5))
        size = max(width, round(columns * scale)), max(height, round(rows * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        y, x = rng.integers(size[1] - height + 1), rng.integers(size[0] - width + 1)
        part = picture[y : y + height, x : x + width]
        return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)

    def cutout(self, rng: np.random.Generator, tall: float) -> Image:
        """Draw a thing: one that was cut out of a picture, mirrored or not, or a made-up shape.

        Parameters
        ----------
        rng : numpy.random.Generator
            Decides which; it is moved on.
        tall : float
            Pixels of its longer side.

        Returns
        -------
        uint8 (h, w, 4)
            BGR premultiplied by alpha, and alpha, with an empty margin of a pixel at least. The caller's own.

        Raises
        ------
        SourceError
            A picture cannot be read.
        """
        if self.outlines and rng.random() < 0.65:
            image = _cut(*self.outlines[rng.integers(len(self.outlines))])
            scale = tall / max(image.shape[:2])
            size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            image = cv2.copyMakeBorder(image, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
        else:
            image = self._shape(rng, tall)
        return np.ascontiguousarray(image[:, ::-1] if rng.random() < 0.5 else image)

    def _shape(self, rng: np.random.Generator, tall: float) -> Image:
        """A made-up outline, filled with a part of a photograph or one colour with a little of it."""
        wide = tall * rng.uniform(0.3, 1)
        size = (wide, tall) if rng.random() < 0.7 else (tall, wide)
        white = (255.0, 255.0, 255.0)
        kind = rng.integers(4)
        image = box(*size, white) if kind == 0 else ellipse(*size, white) if kind == 1 else blob(rng, *size, white)
        filling = self.photo(rng, *image.shape[:2]).astype(np.float32)
        if rng.random() < 0.5:
            filling = rng.uniform(10, 245, 3) + rng.uniform(0, 0.6) * (filling - filling.mean(axis=(0, 1)))
        alpha = image[..., 3:] / np.float32(255)
        return np.dstack([np.clip(filling, 0, 255) * alpha, image[..., 3]]).round().astype(np.uint8)


def _is_whole(outline: Outline, width: int, height: int) -> bool:
    """Whether a thing is large enough, and not cut off by the border of its picture."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    if min(high - low) < _LEAST:
        return False
    steps = np.hypot(*np.diff(outline, axis=0, append=outline[:1]).T)
    edge = (outline < 3).any(axis=1) | (outline > np.array([width, height]) - 4).any(axis=1)
    return bool(steps[edge & np.roll(edge, -1)].sum() < _AT_BORDER * steps.sum())


@lru_cache(maxsize=700)
def _read(path: Path) -> Frame:
    return read_image(path)


@lru_cache(maxsize=1000)
def _cut_at(path: Path, data: bytes) -> Image:
    picture, outline = _read(path), np.frombuffer(data).reshape(-1, 2)
    low = np.floor(outline.min(axis=0)).astype(int).clip(0)
    high = np.ceil(outline.max(axis=0)).astype(int) + 1
    part = picture[low[1] : high[1], low[0] : high[0]]
    alpha = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(alpha, [np.rint((outline - low) * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    alpha = cv2.erode(alpha, np.ones((3, 3), np.uint8))  # outlines are drawn a little outside, with a rim of background
    scale = min(1.0, _LARGEST / max(part.shape[:2]))
    image = np.dstack([part * (alpha[..., None] / np.float32(255)), alpha]).round().astype(np.uint8)
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _cut(path: Path, outline: Outline) -> Image:
    """What `outline` encloses, premultiplied BGRA, 360 pixels at most."""
    return _cut_at(path, outline.tobytes())
