"""People and cars for synthetic scenes: rigid parts that swing and roll, so that their motion is known exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.datasets._render import Layer, moved, turned
from motionseg.datasets._sprites import Color, Image, capsule, paint

__all__ = ["car", "swaying", "walker"]

Path = npt.NDArray[np.float64]


def _heading(path: Path) -> npt.NDArray[np.float64]:
    """1 where the last step went right, -1 where it went left."""
    step = np.sign(np.diff(path[:, 0], append=np.nan))
    moving = np.flatnonzero(np.abs(step) == 1)
    if len(moving) == 0:
        return np.ones(len(path))
    last = np.searchsorted(moving, np.arange(len(path)), side="right") - 1
    return np.asarray(step[moving[np.maximum(last, 0)]])


def walker(
    height: float,
    feet: Path,
    *,
    object_id: int,
    shirt: Color,
    trousers: Color,
    skin: Color = (140, 170, 215),
    hair: Color = (30, 40, 50),
    adapt: Callable[[Image], Image] = lambda image: image,
) -> list[Layer]:
    """A person seen from the side, whose legs and arms swing with the way walked.

    Parameters
    ----------
    height : float
        Pixels.
    feet : float64 (n_frames, 2)
        Where the person stands, x and y in the world; NaN where absent.
    object_id : int
        The id of all parts.
    shirt, trousers, skin, hair : (B, G, R)
        Colours.
    adapt : callable
        What is done to the picture of every part (texture, camouflage).
    """
    thigh, shin, arm = 0.25 * height, 0.24 * height, 0.19 * height
    thick = 0.085 * height
    way = np.nancumsum(np.hypot(*np.diff(feet, axis=0, prepend=feet[:1]).T))
    phase = 2 * np.pi * way / (0.8 * height)
    hip = moved(feet[:, 0], feet[:, 1] - thigh - shin - 0.03 * height) @ turned(0.0, _heading(feet))
    chest = hip @ moved(0.01 * height, -0.31 * height)

    def hang(length: float, top: float, bottom: float, color: Color, joint: Any) -> Layer:
        image = adapt(capsule(length, top, bottom, color))
        poses = joint @ moved(-max(top, bottom) / 2 - 2, -top / 2 - 2)
        return Layer(image, poses, object_id, feet[:, 1])

    def dark(color: Color) -> Color:
        return (0.75 * color[0], 0.75 * color[1], 0.75 * color[2])

    def leg(turn: float, color: Color) -> list[Layer]:
        upper = hip @ turned(-0.42 * np.sin(phase + turn))
        lower = upper @ moved(0, thigh) @ turned(0.1 + 0.8 * np.maximum(np.cos(phase + turn), 0) ** 2)
        foot = lower @ moved(0, shin) @ turned(-np.pi / 2 - 0.1)
        return [
            hang(0.09 * height, 0.05 * height, 0.04 * height, (30, 30, 35), foot),
            hang(shin, 0.85 * thick, 0.6 * thick, color, lower),
            hang(thigh, 1.2 * thick, 0.9 * thick, color, upper),
        ]

    def swing(turn: float, color: Color) -> list[Layer]:
        upper = chest @ moved(0, 0.03 * height) @ turned(0.45 * np.sin(phase + turn))
        lower = upper @ moved(0, arm) @ turned(-0.35)
        return [
            hang(0.17 * height, 0.6 * thick, 0.5 * thick, skin, lower),
            hang(arm, 0.75 * thick, 0.65 * thick, color, upper),
        ]

    def draw_head(canvas: Image, at: Callable[..., Any]) -> None:
        r = 0.066 * height
        cv2.ellipse(canvas, at(r, r), (at(r), at(r)), 0, 0, 360, (*hair, 255), -1)
        cv2.ellipse(canvas, at(1.25 * r, 1.2 * r), (at(0.75 * r), at(0.85 * r)), 0, 0, 360, (*skin, 255), -1)

    head = Layer(
        adapt(paint(0.14 * height, 0.15 * height, draw_head)),
        chest @ moved(-0.05 * height - 2, -0.2 * height - 2),
        object_id,
        feet[:, 1],
    )
    neck = hang(0.05 * height, 0.05 * height, 0.05 * height, skin, chest @ moved(0, -0.07 * height))
    torso = hang(0.31 * height, 0.16 * height, 0.125 * height, shirt, chest)
    return [
        *swing(0.0, dark(shirt)),
        *leg(0.0, dark(trousers)),
        *leg(np.pi, trousers),
        neck,
        torso,
        head,
        *swing(np.pi, dark(dark(shirt))),
    ]


def swaying(image: Image, base: tuple[float, float], sway: npt.NDArray[np.float64]) -> Layer:
    """Scenery with its lower left corner fast at `base` and its upper edge going right by `sway` (n_frames,) pixels."""
    poses = moved(np.full(len(sway), base[0]), base[1])
    poses[:, 0, 1] = -sway / (image.shape[0] - 4)
    return Layer(image, poses @ moved(-2, 2 - image.shape[0]))


_SHAPES = {  # x (front at the right) and y in shares of the length, from the ground up
    "saloon": [
        (0.01, 0.08),
        (0.0, 0.2),
        (0.16, 0.22),
        (0.27, 0.34),
        (0.56, 0.345),
        (0.7, 0.225),
        (0.95, 0.19),
        (1, 0.08),
    ],
    "hatch": [(0.01, 0.09), (0.0, 0.25), (0.07, 0.37), (0.56, 0.385), (0.73, 0.26), (0.96, 0.21), (1, 0.09)],
    "van": [(0.0, 0.09), (0.0, 0.44), (0.02, 0.46), (0.74, 0.46), (0.89, 0.28), (0.99, 0.22), (1, 0.09)],
}
_WINDOWS = {
    "saloon": [
        [(0.215, 0.235), (0.285, 0.32), (0.42, 0.325), (0.42, 0.235)],
        [(0.45, 0.235), (0.45, 0.325), (0.55, 0.325), (0.65, 0.235)],
    ],
    "hatch": [
        [(0.09, 0.27), (0.12, 0.35), (0.35, 0.36), (0.35, 0.27)],
        [(0.38, 0.27), (0.38, 0.36), (0.545, 0.36), (0.66, 0.27)],
    ],
    "van": [[(0.58, 0.29), (0.58, 0.42), (0.73, 0.42), (0.83, 0.29)]],
}


def car(kind: str, length: float, ground: Path, *, object_id: int, color: Color) -> list[Layer]:
    """A car seen from the side on rolling wheels.

    Parameters
    ----------
    kind : str
        ``"saloon"``, ``"hatch"`` or ``"van"``.
    length : float
        Pixels.
    ground : float64 (n_frames, 2)
        The road under its middle, x and y in the world; NaN where absent.
    object_id : int
        The id of all parts; 0 for a parked car.
    color : (B, G, R)
        Of the body.
    """
    tall = max(y for _, y in _SHAPES[kind]) * length
    radius = 0.085 * length

    def polygon(canvas: Image, at: Callable[..., Any], points: list[tuple[float, float]], fill: Color) -> None:
        corners = np.array([at(x * length, tall - y * length) for x, y in points], np.int32)
        cv2.fillPoly(canvas, [corners], (*fill, 255))

    def shade(factor: float, lift: float = 0.0) -> Color:
        b, g, r = (min(c * factor + lift, 255.0) for c in color)
        return (b, g, r)

    def draw_body(canvas: Image, at: Callable[..., Any]) -> None:
        polygon(canvas, at, _SHAPES[kind], shade(1))
        canvas[at(0, tall - 0.14 * length)[1] :, :, :3] = np.where(
            canvas[at(0, tall - 0.14 * length)[1] :, :, 3:] > 0, np.array(shade(0.72), np.uint8), 0
        )
        polygon(canvas, at, [(0.0, 0.07), (0.0, 0.1), (1.0, 0.1), (1.0, 0.07)], (45, 45, 45))
        for window in _WINDOWS[kind]:
            polygon(canvas, at, window, (70, 58, 48))
            (x0, y0), (x1, y1) = window[0], window[1]
            polygon(canvas, at, [(x0, y0), (x1, y1), (x1 + 0.05, y1), (x0 + 0.05, y0)], (120, 105, 92))
        for x in (_WINDOWS[kind][-1][0][0] - 0.015, _WINDOWS[kind][-1][-1][0] + 0.01):  # the door
            cv2.line(
                canvas, at(x * length, tall - 0.23 * length), at(x * length, tall - 0.1 * length), (*shade(0.5), 255), 2
            )
        polygon(canvas, at, [(0.0, 0.15), (0.0, 0.19), (0.03, 0.19), (0.03, 0.15)], (40, 40, 200))
        polygon(canvas, at, [(0.95, 0.145), (0.955, 0.185), (0.985, 0.175), (0.995, 0.145)], (215, 240, 245))
        for x in (0.19, 0.8):  # arches
            cv2.circle(canvas, at(x * length, tall - radius), at(1.15 * radius), (25, 25, 25, 255), -1)

    def draw_wheel(canvas: Image, at: Callable[..., Any]) -> None:
        cv2.circle(canvas, at(radius, radius), at(radius), (28, 28, 28, 255), -1)
        cv2.circle(canvas, at(radius, radius), at(0.62 * radius), (165, 165, 165, 255), -1)
        for spoke in np.arange(5) * 2 * np.pi / 5:
            end = at(radius * (1 + 0.55 * np.cos(spoke)), radius * (1 + 0.55 * np.sin(spoke)))
            cv2.line(canvas, at(radius, radius), end, (70, 70, 70, 255), at(0.14 * radius))

    heading = _heading(ground)
    middle = moved(ground[:, 0], ground[:, 1]) @ turned(0.0, heading)
    layers = [
        Layer(paint(length, tall, draw_body), middle @ moved(-length / 2 - 2, -tall - 2), object_id, ground[:, 1])
    ]
    rolled = heading * (ground[:, 0] - np.nan_to_num(ground[:, 0])[0]) / radius
    for x in (0.19, 0.8):
        axle = middle @ moved((x - 0.5) * length, -radius) @ turned(rolled)
        layers.append(
            Layer(
                paint(2 * radius, 2 * radius, draw_wheel),
                axle @ moved(-radius - 2, -radius - 2),
                object_id,
                ground[:, 1],
            )
        )
    return layers
