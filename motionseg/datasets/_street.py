"""A street as a surveillance camera sees it: cars, walkers, swaying trees, shadows, noise, and the exact truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_integer, check_number
from motionseg.datasets._actors import car, swaying, walker
from motionseg.datasets._render import Layer, Scene, moved
from motionseg.datasets._sprites import Color, Image, capsule, foliage, grained, noise, paint

__all__ = ["street"]

# Heights in shares of the picture's, from the top.
_EAVES, _WALL, _KERB, _MIDDLE, _VERGE = 0.1, 0.5, 0.585, 0.705, 0.835
_FAR_LANE, _NEAR_LANE = 0.67, 0.805  # where wheels touch the road
_FAR_WALK, _NEAR_WALK = (0.53, 0.56), (0.9, 0.95)  # where feet touch the pavements
_WALLS: list[Color] = [
    (150, 178, 205),
    (120, 135, 178),
    (176, 184, 190),
    (140, 168, 172),
    (112, 140, 196),
    (170, 160, 150),
]
_PAINTS: list[Color] = [
    (45, 45, 190),
    (185, 105, 45),
    (225, 225, 222),
    (34, 30, 30),
    (70, 150, 205),
    (95, 130, 60),
    (160, 160, 165),
]
_CLOTHES: list[Color] = [
    (60, 60, 200),
    (200, 190, 80),
    (70, 170, 230),
    (220, 220, 225),
    (150, 70, 140),
    (90, 150, 60),
    (38, 34, 40),
]
_TROUSERS: list[Color] = [(95, 60, 40), (40, 40, 45), (70, 95, 115), (120, 115, 110)]
_FINE = 3  # the still part is painted this many times larger, and averaged down


def street(*, width: int = 640, height: int = 480, n_frames: int = 250, fps: float = 25.0, seed: int = 0) -> Scene:
    """A lively street before a fixed camera: the scene of the demo.

    Cars on two lanes pass one another, people walk on both pavements and behind trees that sway in the wind, all
    cast shadows, and the camera has noise. Nobody is there in the first frames.

    Parameters
    ----------
    width, height : int, at least 64
        Size of the frames, pixels; made for 4:3 to 16:9.
    n_frames : int, at least 1
        Length.
    fps : float, above 0
        Frames per second; things move as fast in seconds whatever it is.
    seed : int, at least 0
        Another seed, another street.

    Returns
    -------
    Scene
        ``street()[i]`` is a :class:`SyntheticFrame`. Ids: cars and walkers, each its own, from 1.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    There is no perspective: things keep their size. Trees, their leaves and the lamp post hide what is behind them
    and are background. A parked car is part of the street.

    Examples
    --------
    >>> scene = street(width=320, height=240, n_frames=100)
    >>> len(scene), scene[0].ids.tolist(), bool(scene[90].ids.size)
    (100, [], True)
    """
    width, height = check_integer("width", width, 64, 8000), check_integer("height", height, 64, 8000)
    n_frames, fps = check_integer("n_frames", n_frames, 1), check_number("fps", fps, 0, above=True)
    seed = check_integer("seed", seed, 0)
    walls, plants, traffic, people = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(4))
    time = np.arange(n_frames) / fps
    ids = iter(range(1, 1_000_000))
    layers = [
        *_walkers(people, width, height, time, _FAR_WALK, 0.16, ids),
        *_trees(plants, width, height, time),
        *_cars(traffic, width, height, time, _FAR_LANE, -1, ids),
        *_cars(traffic, width, height, time, _NEAR_LANE, 1, ids),
        *_walkers(people, width, height, time, _NEAR_WALK, 0.24, ids),
        _lamp(width, height, n_frames),
    ]
    plate = _plate(walls, width, height)
    still = np.zeros((n_frames, 2))
    return Scene(plate, layers, size=(width, height), camera=still, shadow=0.62, fps=fps, noise=2.5, seed=seed)


def _pick(rng: np.random.Generator, colors: list[Color]) -> Color:
    return colors[int(rng.integers(len(colors)))]


def _passing(start: float, speed: float, y: float, time: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.stack([start + speed * time, np.full(len(time), y)], axis=1)


def _cars(
    rng: np.random.Generator,
    width: int,
    height: int,
    time: npt.NDArray[np.float64],
    lane: float,
    way: int,
    ids: Iterator[int],
) -> list[Layer]:
    """Cars of one lane, one behind the other at one speed, so that they never meet; `way` is 1 for to the right."""
    layers = []
    speed, base = height * rng.uniform(0.3, 0.38), height * (0.29 if way < 0 else 0.33)
    ahead = base + speed * rng.uniform(1.2, 2.4)
    while ahead < speed * time[-1] + 2 * base:
        kind = str(rng.choice(["saloon", "hatch", "van"], p=[0.4, 0.4, 0.2]))
        length = base * {"saloon": 1.0, "hatch": 0.9, "van": 1.15}[kind]
        start = -ahead if way > 0 else width + ahead
        path = _passing(start, way * speed, lane * height, time)
        layers += car(kind, length, path, object_id=next(ids), color=_pick(rng, _PAINTS))
        ahead += base * 1.6 + speed * rng.exponential(1.6)
    return layers


def _walkers(
    rng: np.random.Generator,
    width: int,
    height: int,
    time: npt.NDArray[np.float64],
    pavement: tuple[float, float],
    share: float,
    ids: Iterator[int],
) -> list[Layer]:
    """People who come in from either side, later ones nearer; `share` is their height in the picture's."""
    layers = []
    n = 2 + int(time[-1] / 2.5)
    starts = np.sort(rng.uniform(0.2, max(time[-1] - 1.0, 0.3), n))
    for k, start in enumerate(starts):
        tall = height * share * rng.uniform(0.92, 1.08)
        way = 1 if rng.random() < 0.5 else -1
        speed = way * tall * rng.uniform(0.7, 0.95)
        edge = -0.4 * tall if way > 0 else width + 0.4 * tall
        y = height * np.interp(k, [0, n], pavement)
        path = _passing(edge - speed * start, speed, y, time)
        clothes = {"shirt": _pick(rng, _CLOTHES), "trousers": _pick(rng, _TROUSERS)}
        layers += walker(tall, path, object_id=next(ids), **clothes)
    return layers


def _trees(rng: np.random.Generator, width: int, height: int, time: npt.NDArray[np.float64]) -> list[Layer]:
    layers = []
    for x in np.arange(0.13 * width, width, 0.52 * height) + rng.uniform(-0.05, 0.05) * width:
        wide, tall, trunk = height * rng.uniform(0.24, 0.3), height * rng.uniform(0.26, 0.32), 0.22 * height
        foot = height * (_KERB - 0.008)
        stem = grained(rng, capsule(trunk, 0.016 * height, 0.026 * height, (52, 68, 88)))
        layers.append(Layer(stem, np.tile(moved(x - 0.013 * height - 2, foot - trunk - 2), (len(time), 1, 1))))
        gusts = np.sin(2 * np.pi * (0.45 * time + rng.uniform())) + 0.5 * np.sin(
            2 * np.pi * (1.1 * time + rng.uniform())
        )
        crown = foliage(rng, wide, tall, (38, rng.uniform(112, 138), rng.uniform(70, 105)))
        layers.append(swaying(crown, (x - wide / 2, foot - 0.75 * trunk), 0.006 * height * gusts))
    return layers


def _lamp(width: int, height: int, n_frames: int) -> Layer:
    def draw(canvas: Image, at: Callable[..., Any]) -> None:
        pole, tall = 0.012 * height, 0.7 * height
        cv2.rectangle(canvas, at(0.1 * height, 0.0), at(0.1 * height + pole, tall), (66, 70, 66, 255), -1)
        cv2.rectangle(canvas, at(0.03 * height, 0.0), at(0.1 * height, 0.008 * height), (66, 70, 66, 255), -1)
        cv2.rectangle(canvas, at(0.0, 0.0), at(0.06 * height, 0.018 * height), (205, 225, 230, 255), -1)
        cv2.rectangle(canvas, at(0.09 * height, 0.92 * tall), at(0.11 * height + pole, tall), (56, 60, 56, 255), -1)

    image = paint(0.13 * height, 0.71 * height, draw)
    return Layer(image, np.tile(moved(0.72 * width, 0.18 * height), (n_frames, 1, 1)))


def _plate(rng: np.random.Generator, width: int, height: int) -> Image:
    """The empty street without trees and lamp."""
    canvas = np.zeros((height * _FINE, width * _FINE, 3), np.uint8)
    unit = height * _FINE

    def bar(x0: float, y0: float, x1: float, y1: float, color: Color) -> None:
        """A rectangle between points in shares of the height."""
        corners = [round(v * unit) for v in (x0, y0, x1, y1)]
        cv2.rectangle(canvas, (corners[0], corners[1]), (corners[2] - 1, corners[3] - 1), color, -1)

    end = width / height
    rows = np.linspace(0, 1, round(_WALL * unit))[:, None, None]
    canvas[: len(rows)] = np.array([238, 205, 165]) + rows * np.array([0, 25, 60])  # the sky
    x = -rng.uniform(0, 0.2)
    while x < end:
        wide = rng.uniform(0.38, 0.62)
        _house(rng, bar, x, min(x + wide, end + 0.5))
        x += wide
    bar(0, _WALL, end, _KERB, (158, 164, 168))
    bar(0, _WALL, end, _WALL + 0.006, (118, 122, 126))
    for x in np.arange(0, end, 0.07):
        bar(x, _WALL, x + 0.002, _KERB - 0.012, (146, 152, 156))
    bar(0, _KERB - 0.012, end, _KERB - 0.004, (186, 190, 192))
    bar(0, _KERB - 0.004, end, _KERB + 0.004, (92, 94, 96))
    bar(0, _KERB + 0.004, end, _VERGE, (84, 82, 80))
    for x in np.arange(-0.1, end, 0.22):
        bar(x, _MIDDLE - 0.004, x + 0.11, _MIDDLE + 0.004, (205, 208, 210))
    bar(0, _VERGE - 0.016, end, _VERGE - 0.01, (200, 202, 205))
    bar(0, _VERGE, end, _VERGE + 0.012, (182, 186, 190))
    bar(0, _VERGE + 0.012, end, 1, (150, 157, 162))
    for y in (0.885, 0.94):
        bar(0, y, end, y + 0.002, (136, 142, 147))
    for x in np.arange(0, end, 0.11):
        bar(x, _VERGE + 0.012, x + 0.002, 1, (138, 144, 149))
    plate = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    grain = 3.0 * noise(rng, height, width, coarse=4, octaves=2) + 4.0 * noise(rng, height, width, coarse=height / 4)
    grain[: round(_EAVES * height)] *= 0.3
    return np.clip(plate + grain[..., None], 0, 255).astype(np.uint8)


def _house(rng: np.random.Generator, bar: Callable[..., None], x0: float, x1: float) -> None:
    """One front with its roof, two storeys of windows and a shop or doors below."""
    wall = np.array(_pick(rng, _WALLS)) * rng.uniform(0.88, 1.05)

    def tone(factor: float) -> Color:
        b, g, r = np.clip(wall * factor, 0, 255)
        return (b, g, r)

    eaves = _EAVES + rng.uniform(-0.03, 0.05)
    bar(x0, eaves - 0.03, x1, eaves, (70, 78, 105))
    bar(x0, eaves, x1, _WALL, tone(1))
    bar(x0, eaves, x1, eaves + 0.01, tone(0.7))
    bar(x0, 0.335, x1, 0.343, tone(1.15))
    bar(x0, 0.343, x1, 0.348, tone(0.75))
    bar(x1 - 0.004, eaves, x1, _WALL, tone(0.7))
    n = max(2, round((x1 - x0) / 0.13))
    for k in range(n):
        x = x0 + (k + 0.5) * (x1 - x0) / n
        for y in np.linspace(eaves + 0.035, 0.255, 2):
            _window(rng, bar, x - 0.028, y, x + 0.028, y + 0.065, tone(1.25), tone(0.6))
    if rng.random() < 0.65:  # a shop with an awning
        stripes = [(60, 60, 170), (225, 228, 230)] if rng.random() < 0.5 else [(90, 120, 50), (225, 228, 230)]
        _window(rng, bar, x0 + 0.03, 0.39, x1 - 0.13, 0.48, tone(0.5), tone(0.5))
        for k, x in enumerate(np.arange(x0 + 0.02, x1 - 0.13, 0.022)):
            bar(x, 0.365, x + 0.022, 0.395, stripes[k % 2])
        bar(x0 + 0.02, 0.395, x1 - 0.12, 0.4, tone(0.55))
    else:
        for k in range(n - 1):
            x = x0 + (k + 0.5) * (x1 - x0) / n
            _window(rng, bar, x - 0.028, 0.385, x + 0.028, 0.45, tone(1.25), tone(0.6))
    door = _pick(rng, _PAINTS)
    bar(x1 - 0.095, 0.375, x1 - 0.03, _WALL, tone(0.6))
    bar(x1 - 0.088, 0.383, x1 - 0.037, _WALL, (0.6 * door[0], 0.6 * door[1], 0.6 * door[2]))
    bar(x1 - 0.08, 0.392, x1 - 0.045, 0.425, (95, 88, 80))


def _window(
    rng: np.random.Generator,
    bar: Callable[..., None],
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    frame: Color,
    sill: Color,
) -> None:
    glass = np.array([98, 86, 74]) * rng.uniform(0.6, 1.25)
    bar(x0 - 0.005, y0 - 0.005, x1 + 0.005, y1 + 0.005, frame)
    bar(x0, y0, x1, y1, tuple(glass))
    bar(x0, y0, x1, y0 + 0.3 * (y1 - y0), tuple(0.75 * glass))
    if rng.random() < 0.4:  # curtains
        for side in (x0, x1 - 0.25 * (x1 - x0)):
            bar(side, y0, side + 0.25 * (x1 - x0), y1, (190, 200, 208))
    bar((x0 + x1) / 2 - 0.002, y0, (x0 + x1) / 2 + 0.002, y1, frame)
    bar(x0 - 0.008, y1 + 0.005, x1 + 0.008, y1 + 0.011, sill)
