"""Crowds and meetings with exact ids: the scenes that linkers are judged on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_choice, check_integer, check_number
from motionseg.datasets._actors import walker
from motionseg.datasets._render import Layer, Scene, moved, turned
from motionseg.datasets._sprites import Color, blob, box, ellipse, grained, texture

__all__ = ["crowd", "meetings"]

Path = npt.NDArray[np.float64]
_COATS: list[Color] = [
    (50, 50, 205),
    (205, 120, 40),
    (60, 165, 60),
    (60, 200, 235),
    (228, 228, 232),
    (32, 30, 34),
    (160, 60, 150),
    (205, 200, 70),
    (60, 120, 240),
]
_TROUSERS: list[Color] = [(95, 55, 35), (38, 38, 44), (70, 100, 125), (190, 190, 195), (40, 60, 110)]
_LANES, _SIZE = (
    4,
    0.17,
)  # of meetings: so far apart that groups of different lanes do not touch; height in the picture's
_QUIET = 1.0  # seconds in which nobody is there


class _Look(NamedTuple):
    """What a thing is and wears."""

    kind: int  # 0 a person, 1 a box, 2 an ellipse, 3 a blob
    coat: Color
    trousers: Color


def crowd(
    *,
    width: int = 480,
    height: int = 360,
    n_frames: int = 300,
    fps: float = 25.0,
    n_objects: int = 30,
    noise: float = 4.0,
    shadow: bool = False,
    seed: int = 0,
) -> Scene:
    """A square that people and other things cross from both sides: they hide each other, stop, turn, come and go.

    Parameters
    ----------
    width, height : int, at least 64
        Size of the frames, pixels.
    n_frames : int, at least 1
        Length.
    fps : float, above 0
        Frames per second; things move as fast in seconds whatever it is.
    n_objects : int in [1, 200]
        How many come; one in five is a box, an ellipse or a blob. The first comes after a second, the last when
        a little more than half the time is over.
    noise : float, at least 0
        Standard deviation of the camera's noise, grey levels.
    shadow : bool
        They cast shadows on the ground.
    seed : int, at least 0
        Another seed, another crowd.

    Returns
    -------
    Scene
        ``crowd()[i]`` is a :class:`SyntheticFrame`. Ids: 1 to `n_objects`, in the order in which they come in.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    Every third stands for one to three seconds, every fourth turns round. Nearer ones are larger and hide farther
    ones; who is nearer does not change.

    Examples
    --------
    >>> scene = crowd(width=160, height=120, n_frames=60, n_objects=6)
    >>> scene[0].ids.tolist(), bool(scene[59].ids.size)
    ([], True)
    """
    width, height, n_frames, fps = _checked(width, height, n_frames, fps)
    n_objects, seed = check_integer("n_objects", n_objects, 1, 200), check_integer("seed", seed, 0)
    soil, strolls, dress = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    time = np.arange(n_frames) / fps
    starts = np.sort(strolls.uniform(_QUIET, max(0.55 * n_frames / fps, _QUIET), n_objects))
    layers: list[tuple[float, list[Layer]]] = []
    for k, start in enumerate(starts):
        lane = strolls.uniform(0.32, 1.0)
        tall = height * (0.09 + 0.13 * lane) * strolls.uniform(0.9, 1.1)
        feet = _stroll(strolls, time, start, tall, lane * height, width)
        kind = int(dress.integers(1, 4)) if dress.random() < 0.2 else 0
        look = _Look(kind, _pick(dress, _COATS), _pick(dress, _TROUSERS))
        layers.append((lane, _thing(dress, tall, feet, k + 1, look)))
    return _scene(soil, layers, (width, height), n_frames, fps=fps, noise=noise, shadow=shadow, seed=seed)


def meetings(
    *,
    width: int = 480,
    height: int = 360,
    n_frames: int = 500,
    fps: float = 25.0,
    noise: float = 4.0,
    shadow: bool = False,
    seed: int = 0,
) -> Scene:
    """Groups of two to four that come together, are one blob for a while, and part.

    Parameters
    ----------
    width, height : int, at least 64
        Size of the frames, pixels.
    n_frames : int, at least 1
        Length.
    fps : float, above 0
        Frames per second; things move as fast in seconds whatever it is.
    noise : float, at least 0
        Standard deviation of the camera's noise, grey levels.
    shadow : bool
        They cast shadows on the ground.
    seed : int, at least 0
        Other seeds, other meetings.

    Returns
    -------
    Scene
        ``meetings()[i]`` is a :class:`SyntheticFrame`. Ids: from 1, each thing its own.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    On each of four lanes, one above the other, one group comes after another. Its members stand together or walk
    together for half a second to four seconds and then go on or back, or they pass each other, or a fast one
    overtakes a slow one. One group in six is of things other than people. Members differ in colour, but in one group
    in eight they look alike.

    Examples
    --------
    >>> scene = meetings(width=160, height=120, n_frames=100)
    >>> scene[0].ids.tolist(), len(scene[75].ids) > 3
    ([], True)
    """
    width, height, n_frames, fps = _checked(width, height, n_frames, fps)
    seed = check_integer("seed", seed, 0)
    soil, walks, dress = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    time = np.arange(n_frames) / fps
    layers: list[tuple[float, list[Layer]]] = []
    for lane in range(_LANES):
        begin, ground = _QUIET + walks.uniform(0, 2), height * (0.21 + 0.25 * lane)
        while begin < n_frames / fps:
            tall = height * _SIZE * walks.uniform(0.85, 1.05)
            ways = _group(walks, width, tall, begin)
            for (times, places), look in zip(ways, _dressed(dress, len(ways)), strict=True):
                y = ground + tall * walks.uniform(-0.06, 0.06)
                feet = np.stack([_smooth(np.interp(time, times, places), fps), np.full(n_frames, y)], axis=1)
                feet[(time < times[0]) | (time > times[-1])] = np.nan
                thing = _thing(dress, tall * walks.uniform(0.93, 1.07), feet, len(layers) + 1, look)
                layers.append((y, thing))
            begin = max(times[-1] for times, _ in ways) + walks.uniform(0, 0.5)
    return _scene(soil, layers, (width, height), n_frames, fps=fps, noise=noise, shadow=shadow, seed=seed)


def _checked(width: int, height: int, n_frames: int, fps: float) -> tuple[int, int, int, float]:
    size = check_integer("width", width, 64, 8000), check_integer("height", height, 64, 8000)
    return *size, check_integer("n_frames", n_frames, 1), check_number("fps", fps, 0, above=True)


def _scene(
    soil: np.random.Generator,
    layers: list[tuple[float, list[Layer]]],
    size: tuple[int, int],
    n_frames: int,
    *,
    fps: float,
    noise: float,
    shadow: bool,
    seed: int,
) -> Scene:
    """The things of `layers`, each with how near it is, on a textured ground."""
    b, g, r = soil.uniform(95, 130, 3)
    return Scene(
        texture(soil, size[1] + 8, size[0] + 8, (b, g, r), contrast=14),
        [layer for _, thing in sorted(layers, key=lambda pair: pair[0]) for layer in thing],
        size=size,
        camera=np.full((n_frames, 2), 4.0),
        shadow=0.65 if check_choice("shadow", shadow, (True, False)) else 1.0,
        fps=fps,
        noise=check_number("noise", noise, 0),
        seed=seed,
    )


def _pick(rng: np.random.Generator, colors: list[Color]) -> Color:
    return colors[int(rng.integers(len(colors)))]


def _dressed(rng: np.random.Generator, n: int) -> Iterator[_Look]:
    """The looks of a group: all of different colours, or all alike."""
    kind = int(rng.integers(1, 4)) if rng.random() < 1 / 6 else 0
    coats, alike, trousers = rng.permutation(len(_COATS)), rng.random() < 1 / 8, _pick(rng, _TROUSERS)
    for k in range(n):
        yield _Look(kind, _COATS[coats[0 if alike else k]], trousers if alike else _pick(rng, _TROUSERS))


def _thing(rng: np.random.Generator, tall: float, feet: Path, object_id: int, look: _Look) -> list[Layer]:
    """A person, or a shape that turns with its way, `tall` pixels high, standing at `feet` (n_frames, 2)."""
    feet = feet + 4.0  # the frame's first pixel is the plate's fourth
    if look.kind == 0:
        return walker(
            tall,
            feet,
            object_id=object_id,
            shirt=look.coat,
            trousers=look.trousers,
            adapt=lambda image: grained(rng, image),
        )
    wide, tall = tall * rng.uniform(0.35, 0.5), tall * rng.uniform(0.6, 0.75)
    shapes = (box(wide, tall, look.coat), ellipse(wide, tall, look.coat), blob(rng, wide, tall, look.coat))
    image = grained(rng, shapes[look.kind - 1])
    way = np.nancumsum(np.hypot(*np.diff(feet, axis=0, prepend=feet[:1]).T))
    spin = 0.4 * np.sin(way / tall)
    poses = moved(feet[:, 0], feet[:, 1] - tall / 2) @ turned(spin) @ moved(-wide / 2 - 2, -tall / 2 - 2)
    return [Layer(image, poses, object_id, feet[:, 1])]


def _stroll(
    rng: np.random.Generator, time: npt.NDArray[np.float64], start: float, tall: float, y: float, width: int
) -> Path:
    """Feet (n_frames, 2) of one who comes in from a side at `start` seconds, at a height of about `y`; NaN before."""
    side, speed, slope = rng.choice([-1, 1]), tall * rng.uniform(0.8, 1.4), rng.uniform(-0.12, 0.12)
    pace, way = np.ones(len(time)), np.ones(len(time))
    if rng.random() < 1 / 3:
        halt, still = start + rng.uniform(1.5, 5), rng.uniform(1, 3)
        pace = np.interp(time, [halt, halt + 0.3, halt + still, halt + still + 0.3], [1, 0, 0, 1])
    if rng.random() < 1 / 4:
        turn = start + rng.uniform(2, 6)
        way = np.interp(time, [turn, turn + 0.4], [1, -1])
    step = speed * pace * (time >= start) * np.diff(time, prepend=0.0)
    x = np.where(side < 0, width + 0.35 * tall, -0.35 * tall) + side * np.cumsum(step * way)
    feet = np.stack([x, y + slope * (np.cumsum(step) - width / 2)], axis=1)
    feet[time < start] = np.nan
    return feet


def _group(rng: np.random.Generator, width: int, tall: float, begin: float) -> list[tuple[list[float], list[float]]]:
    """Of each member of a group the times in seconds and the x of its feet there; the first is seen at `begin`."""
    n = int(rng.choice([2, 3, 4], p=[0.65, 0.22, 0.13]))
    kind = str(rng.choice(["stand", "walk", "pass", "overtake"], p=[0.4, 0.2, 0.2, 0.2]))
    base, place, edge = tall * rng.uniform(1.1, 2.0), width * rng.uniform(0.4, 0.6), 0.4 * tall
    side = np.sort(np.append([-1, 1], rng.choice([-1, 1], n - 2)))  # where each comes from: -1 the left
    factors = rng.uniform(0.85, 1.2, n) * (1 + 0.35 * np.arange(n)[rng.permutation(n)])
    if kind == "overtake":
        side[:] = rng.choice([-1, 1])
        factors = 1 + np.array([0, 0.4, 0.8, 1.2])[:n]
    doors = np.where(side < 0, -edge, width + edge)
    ins = np.abs(doors - place) / (base * factors)
    meet = begin + ins.max()
    if kind in ("pass", "overtake"):
        across = (width + 2 * edge) / (base * factors)
        enters = meet - ins
        far = np.where(side < 0, width + edge, -edge)
        return [([enters[k], enters[k] + across[k]], [doors[k], far[k]]) for k in range(n)]
    slots = place + tall * rng.uniform(0.1, 0.17) * (np.arange(n) - (n - 1) / 2)
    together, drift = rng.uniform(0.5, 4), 0.0
    if kind == "walk":
        drift = 0.6 * base * rng.choice([-1, 1])
        together = min(together, 0.3 * width / abs(drift))
    arrive = meet + rng.uniform(0, 0.5, n)
    leave = meet + 0.5 + together + rng.uniform(0, 0.5, n)
    out = side if rng.random() < 0.5 else -side if rng.random() < 0.6 else rng.permutation(side)
    ways = []
    for k in range(n):
        stay = [slots[k] + drift * (t - meet) for t in (arrive[k], leave[k])]
        door, speed = (-edge if out[k] < 0 else width + edge), base * rng.permutation(factors)[k]
        times = [arrive[k] - ins[k], arrive[k], leave[k], leave[k] + abs(door - stay[1]) / speed]
        ways.append((times, [doors[k], *stay, door]))
    return ways


def _smooth(x: npt.NDArray[np.float64], fps: float) -> npt.NDArray[np.float64]:
    """The mean over a third of a second, as nobody starts and stops at once."""
    n = max(1, round(fps / 3)) | 1
    return np.convolve(np.pad(x, n // 2, mode="edge"), np.full(n, 1 / n), mode="valid")
