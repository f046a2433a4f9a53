"""Ways that things and cameras take in a collage, drawn at random."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from motionseg.datasets._render import moved, turned

__all__ = ["camera_path", "object_path", "smooth"]

Path = npt.NDArray[np.float64]
Matrices = npt.NDArray[np.float64]
_KINDS = ("cross", "wander", "sway", "stop", "depart")
_ODDS = (0.42, 0.2, 0.14, 0.14, 0.1)


def smooth(rng: np.random.Generator, n: int, span: float, rows: int = 1) -> Path:
    """Smooth noise of deviation 1, float64 (rows, n), that changes within about `span` frames."""
    noise = gaussian_filter1d(rng.standard_normal((rows, n + 8 * int(span))), span, axis=1)[:, 4 * int(span) :][:, :n]
    return np.asarray(noise * np.sqrt(2 * span * np.sqrt(np.pi)))


def camera_path(rng: np.random.Generator, kind: str, n: int, size: tuple[int, int]) -> Matrices:
    """Where points of the plate are in each frame, float64 (n, 3, 3).

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : {"fixed", "shaking", "moving"}
        Identities; smooth noise around them; a journey with turns and zoom, and less of that noise.
    n : int, at least 1
        Frames.
    size : (int, int)
        Width and height of the frame: shifts grow with the shorter side, turns and zoom are about the middle.
    """
    still = np.tile(np.eye(3), (n, 1, 1))
    if kind == "fixed":
        return still
    unit, middle = min(size) / 240, (size[0] / 2, size[1] / 2)
    shake = np.exp(rng.uniform(np.log(0.3), np.log(4))) * unit
    span = rng.choice([0.6, 2.0, 5.0])
    shift = shake * smooth(rng, n, span, 2)
    angle = rng.uniform(0, 0.004) * smooth(rng, n, span)[0] * shake / unit
    zoom = rng.uniform(0, 0.002) * smooth(rng, n, span)[0] * shake / unit
    if kind == "moving":
        shift *= rng.uniform(0, 0.5)
        heading = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 0.6) * smooth(rng, n, 25)[0]
        speed = np.exp(rng.uniform(np.log(0.5), np.log(6))) * unit * np.maximum(1 + 0.5 * smooth(rng, n, 20)[0], 0)
        shift += np.cumsum(speed * np.stack([np.cos(heading), np.sin(heading) * rng.uniform(0.1, 0.6)]), axis=1)
        angle += np.cumsum(rng.normal(0, 0.002) * smooth(rng, n, 20)[0])
        zoom += np.cumsum(np.full(n, rng.normal(0, 0.002)))
    grow = moved(np.zeros(n), 0.0)
    grow[:, :2, :2] *= np.exp(zoom)[:, None, None]
    return moved(*shift) @ moved(*middle) @ turned(angle) @ grow @ moved(-middle[0], -middle[1])


def object_path(
    rng: np.random.Generator, n: int, size: tuple[int, int], tall: float, *, followed: bool
) -> tuple[Path, int]:
    """The middle of a thing in each frame, float64 (n, 2), and the frame in which it first goes anywhere.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int, at least 1
        Frames.
    size : (int, int)
        Width and height of the frame. Ways cross it, and may begin and end outside.
    tall : float
        Pixels of the thing's longer side: what is larger goes faster.
    followed : bool
        The camera follows it, so it mostly stays about where it is.
    """
    extent, unit = np.array(size, float), min(size)
    kind = "wander" if followed and rng.random() < 0.6 else rng.choice(_KINDS, p=_ODDS)
    home = extent * rng.uniform([0.1, 0.25], [0.9, 0.9])
    time = np.arange(n)
    if kind == "wander":
        reach = unit * np.exp(rng.uniform(np.log(0.05), np.log(0.5)))
        return home + reach * smooth(rng, n, rng.uniform(8, 30), 2).T, 0
    if kind == "sway":  # somebody stands and talks, a leaf hangs before the camera
        reach = max(1.0, rng.uniform(0.01, 0.06) * max(tall, 0.2 * unit))
        return home + reach * smooth(rng, n, rng.uniform(3, 15), 2).T, 0
    # A straight way through a point inside, a little bent, at a speed between crawling and three frames for all.
    angle = rng.normal(0, 0.35) + np.pi * rng.integers(2) + (rng.uniform(0, np.pi) if rng.random() < 0.25 else 0)
    way = np.array([np.cos(angle), np.sin(angle)])
    speed = np.exp(rng.uniform(np.log(0.003), np.log(0.06))) * unit * (0.4 + 0.6 * min(tall / (0.3 * unit), 1.5))
    pace = speed * np.maximum(1 + 0.3 * smooth(rng, n, 12)[0], 0)
    if kind == "depart":
        since = int(rng.integers(n // 4, max(3 * n // 4, 1)))
        walked = np.cumsum(np.where(time >= since, pace, 0))
    else:
        since, meets = 0, int(rng.integers(0, n))
        walked = np.cumsum(pace)
        if kind == "stop":
            halt, rest = meets, int(rng.integers(n // 6, n))
            stands = (time > halt) & (time <= halt + rest)
            walked = np.cumsum(np.where(stands, 0, pace))
        walked -= walked[meets]
    bend = unit * rng.uniform(0, 0.05) * smooth(rng, n, 20)[0]
    if kind == "depart":
        bend *= np.clip((time - since) / 10, 0, 1)
    elif kind == "stop":
        bend *= 0
    return home + walked[:, None] * way + bend[:, None] * [-way[1], way[0]], since
