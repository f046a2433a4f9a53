"""Textures and shapes that synthetic scenes are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["blend", "blob", "box", "capsule", "ellipse", "foliage", "grained", "noise", "paint", "texture"]

Image = npt.NDArray[np.uint8]
Color = tuple[float, float, float]
_FINE = 4  # shapes are drawn this many times larger and averaged down


def noise(rng: np.random.Generator, height: int, width: int, *, coarse: float = 80, octaves: int = 5) -> Any:
    """Smooth noise of mean 0 and standard deviation 1, float32 (height, width), waves of `coarse` px and shorter."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cell = coarse / 2**octave
        rows, columns = int(height / cell) + 3, int(width / cell) + 3
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        matrix = np.array([[cell, 0, -cell], [0, cell, -cell]])
        wave = cv2.warpAffine(grid, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        total += wave * 0.75**octave
    return (total - total.mean()) / max(float(total.std()), 1e-6)


def texture(rng: np.random.Generator, height: int, width: int, color: Color, *, contrast: float = 22.0) -> Image:
    """A coloured noise picture, uint8 (height, width, 3), of mean `color` and deviation `contrast` grey levels."""
    light = noise(rng, height, width)[..., None]
    tints = np.dstack([noise(rng, height, width, octaves=3) for _ in range(3)])
    return np.clip(np.array(color) + contrast * (light + 0.4 * tints), 0, 255).astype(np.uint8)


def paint(width: float, height: float, draw: Callable[[Image, Callable[..., Any]], None]) -> Image:
    """What `draw` draws, smooth at its edges: premultiplied BGRA, uint8.

    ``draw(canvas, at)`` paints on a large canvas with cv2 (alpha 255, no antialiasing); ``at(*lengths)`` turns pixels
    into the canvas's integers (a point for two of them). A margin of two pixels is kept free around all.
    """
    rows, columns = int(np.ceil(height)) + 4, int(np.ceil(width)) + 4
    canvas = np.zeros((rows * _FINE, columns * _FINE, 4), np.uint8)

    def at(*lengths: float) -> Any:
        if len(lengths) == 1:
            return round(lengths[0] * _FINE)
        return tuple(round((length + 2) * _FINE) for length in lengths)

    draw(canvas, at)
    return cv2.resize(canvas, (columns, rows), interpolation=cv2.INTER_AREA)


def grained(rng: np.random.Generator, image: Image, *, contrast: float = 16.0) -> Image:
    """`image` (premultiplied BGRA) with noise of `contrast` grey levels on it."""
    grain = contrast * noise(rng, *image.shape[:2], coarse=24, octaves=4)[..., None]
    colors = image[..., :3] + grain * (image[..., 3:] / 255)
    return np.dstack([np.clip(colors, 0, image[..., 3:]), image[..., 3]]).astype(np.uint8)


def blend(image: Image, colors: npt.NDArray[Any], share: float) -> Image:
    """`image` (premultiplied BGRA) with `share` of its colour replaced by `colors` (H, W, 3)."""
    mixed = image.astype(np.float32)
    mixed[..., :3] += share * (colors * (mixed[..., 3:] / 255) - mixed[..., :3])
    return np.rint(mixed).astype(np.uint8)


def _filled(width: float, height: float, outline: npt.NDArray[Any], color: Color) -> Image:
    def draw(canvas: Image, at: Callable[..., Any]) -> None:
        points = np.array([at(x, y) for x, y in outline], np.int32)
        cv2.fillPoly(canvas, [points], (*color, 255))

    return paint(width, height, draw)


def _polar(radius: Any, width: float, height: float) -> npt.NDArray[Any]:
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    return np.stack([width / 2 * (1 + radius * np.cos(angle)), height / 2 * (1 + radius * np.sin(angle))], axis=1)


def ellipse(width: float, height: float, color: Color) -> Image:
    """A filled ellipse."""
    return _filled(width, height, _polar(1.0, width, height), color)


def box(width: float, height: float, color: Color) -> Image:
    """A filled rectangle with round corners."""
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    x, y = (np.sign(wave) * np.abs(wave) ** 0.25 for wave in (np.cos(angle), np.sin(angle)))
    return _filled(width, height, np.stack([width / 2 * (1 + x), height / 2 * (1 + y)], axis=1), color)


def blob(rng: np.random.Generator, width: float, height: float, color: Color) -> Image:
    """A filled shape with a wavy outline."""
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    radius = np.ones(90)
    for lobes in (2, 3, 4, 5):
        radius += 0.45 / lobes * rng.uniform(-1, 1) * np.cos(lobes * angle + rng.uniform(0, 2 * np.pi))
    return _filled(width, height, _polar(radius / radius.max(), width, height), color)


def foliage(rng: np.random.Generator, width: float, height: float, color: Color) -> Image:
    """A bush or tree crown: a heap of leafy discs, light above and dark below."""

    def draw(canvas: Image, at: Callable[..., Any]) -> None:
        for layer in range(240):
            angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1))
            radius = min(width, height) * rng.uniform(0.05, 0.13) * (1.2 if layer < 120 else 0.6)
            x = width / 2 + np.cos(angle) * reach * (width / 2 - radius)
            y = height / 2 + np.sin(angle) * reach * (height / 2 - radius)
            light = (0.6 + 0.4 * (1 - y / height)) * rng.uniform(0.75, 1.25) * (0.75 if layer < 120 else 1)
            shade = tuple(float(min(c * light, 255)) for c in color)
            cv2.circle(canvas, at(x, y), at(radius), (*shade, 255), -1)

    return paint(width, height, draw)


def capsule(length: float, top: float, bottom: float, color: Color) -> Image:
    """A limb hanging from the middle of its top circle, which lies (top / 2 + 2) px below the image's upper edge."""
    width = max(top, bottom)

    def draw(canvas: Image, at: Callable[..., Any]) -> None:
        high, low = (width / 2, top / 2), (width / 2, top / 2 + length)
        sides = [(high[0] - top / 2, high[1]), (high[0] + top / 2, high[1])]
        sides += [(low[0] + bottom / 2, low[1]), (low[0] - bottom / 2, low[1])]
        for (x, y), radius in ((high, top / 2), (low, bottom / 2)):
            cv2.circle(canvas, at(x, y), at(radius), (*color, 255), -1)
        cv2.fillPoly(canvas, [np.array([at(x, y) for x, y in sides], np.int32)], (*color, 255))

    return paint(width, length + (top + bottom) / 2, draw)
