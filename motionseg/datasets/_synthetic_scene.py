"""Synthetic scenes whose truth is exact: for tests, for comparing settings, and for trying things out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_choice, check_integer, check_number
from motionseg.core.errors import ParameterError
from motionseg.core.params import Parametrized
from motionseg.datasets._actors import swaying, walker
from motionseg.datasets._render import Layer, Scene, SyntheticFrame, moved, turned
from motionseg.datasets._sprites import Color, Image, blend, blob, box, ellipse, foliage, grained, texture
from motionseg.datasets._street import street

__all__ = ["Layer", "Scene", "SyntheticFrame", "SyntheticScene", "street"]

Path = npt.NDArray[np.float64]
_MARGIN = 4  # pixels of plate around all that the camera ever sees
_MAX_TRAVEL = 16_000  # pixels; a plate of this width and 480 rows takes 24 MB


class SyntheticScene(Parametrized, Scene):
    """Textured things moving over a textured background, with the exact truth of every frame.

    ``scene[i]`` is a :class:`SyntheticFrame`; it depends on the parameters and on `i` alone, so frames may be taken
    in any order. ``scene.frames()`` gives what ``motionseg.segment_stream`` takes.

    Parameters
    ----------
    width, height : int, at least 64
        Size of the frames, pixels.
    n_frames : int, at least 1
        Length.
    fps : float, above 0
        Frames per second.
    n_objects : int in [0, 200]
        Walking people, boxes, ellipses and blobs, in turn. They keep about the view; nearer ones hide farther ones.
    speed : float, at least 0
        Mean way of an object per frame, pixels; each has its own within 40 % of this.
    seed : int, at least 0
        Another seed, another scene.
    noise : float, at least 0
        Standard deviation of the camera's noise, grey levels.
    grey : bool
        Frames are (H, W) instead of (H, W, 3).
    shadow : bool
        Objects cast shadows on the ground, a factor of 0.55 to 0.8 darker.
    illumination : "none", "ramp" or "switch"
        ``ramp``: gain and offset of the light drift up and down by 25 % and 8 grey levels; ``switch``: at 60 % of
        the frames the light drops to 65 % at once.
    jitter : float in [0, 20]
        Standard deviation of the camera's shaking, pixels.
    pan : float
        The camera's way to the right per frame, pixels (negative: to the left); at most 16,000 px in all.
    waving : float in [0, 40]
        Bushes stand about, and their tops sway by this many pixels to either side. They are background.
    camouflage : float in [0, 1]
        0: objects stand out by colour; 1: they are cut from the background's own texture.
    stop_and_go : bool
        Every object stops in the world for a seventh of the time, and goes on.
    left_object : bool
        One more person (id `n_objects` + 1) comes in, sets a case (id `n_objects` + 2) down and goes; it stays.
    quiet_frames : int, at least 0
        Frames without any object before the first ones come in from the sides.

    Raises
    ------
    ParameterError
        A parameter is out of range.

    Notes
    -----
    Memory: the background (3 bytes a pixel of all that the camera passes) and one small picture per part. Frames are
    rendered when asked for and not kept. Objects are flat and made of rigid parts; those that do not walk turn with
    their way. There is no motion blur, no zoom, and nothing enters by perspective.

    Examples
    --------
    >>> scene = SyntheticScene(width=160, height=120, n_frames=10, n_objects=2)
    >>> shot = scene[5]
    >>> shot.frame.shape, shot.ids.tolist(), shot.boxes.shape
    ((120, 160, 3), [1, 2], (2, 4))
    """

    def __init__(
        self,
        *,
        width: int = 320,
        height: int = 240,
        n_frames: int = 200,
        fps: float = 25.0,
        n_objects: int = 4,
        speed: float = 2.5,
        seed: int = 0,
        noise: float = 2.0,
        grey: bool = False,
        shadow: bool = False,
        illumination: str = "none",
        jitter: float = 0.0,
        pan: float = 0.0,
        waving: float = 0.0,
        camouflage: float = 0.0,
        stop_and_go: bool = False,
        left_object: bool = False,
        quiet_frames: int = 0,
    ) -> None:
        self.width = check_integer("width", width, 64, 16_000)
        self.height = check_integer("height", height, 64, 16_000)
        self.n_frames = check_integer("n_frames", n_frames, 1)
        fps = check_number("fps", fps, 0, above=True)
        self.n_objects = check_integer("n_objects", n_objects, 0, 200)
        self.speed = check_number("speed", speed, 0)
        self.shadow = check_choice("shadow", shadow, (True, False))
        self.illumination = check_choice("illumination", illumination, ("none", "ramp", "switch"))
        self.jitter = check_number("jitter", jitter, 0, 20)
        self.pan = check_number("pan", pan)
        if abs(self.pan) * self.n_frames > _MAX_TRAVEL:
            raise ParameterError(f"pan * n_frames is at most {_MAX_TRAVEL} px, not {abs(self.pan) * self.n_frames:g}")
        self.waving = check_number("waving", waving, 0, 40)
        self.camouflage = check_number("camouflage", camouflage, 0, 1)
        self.stop_and_go = check_choice("stop_and_go", stop_and_go, (True, False))
        self.left_object = check_choice("left_object", left_object, (True, False))
        self.quiet_frames = check_integer("quiet_frames", quiet_frames, 0)
        seed = check_integer("seed", seed, 0)
        # One generator per matter, so that switching one thing on does not change the rest.
        soil, shaking, plants, actors, light = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(5))
        nominal = np.zeros((self.n_frames, 2))
        nominal[:, 0] = self.pan * np.arange(self.n_frames)
        camera = nominal + self.jitter * shaking.standard_normal(nominal.shape)
        origin = np.floor(camera.min(axis=0)) - _MARGIN
        reach = np.ceil(camera.max(axis=0) - origin).astype(int) + _MARGIN
        b, g, r = soil.uniform(85, 125, 3)
        plate = texture(soil, self.height + reach[1], self.width + reach[0], (b, g, r))
        layers = self._bushes(plants, plate.shape[1], fps) if self.waving > 0 else []
        layers += self._actors(actors, plate, nominal - origin)
        super().__init__(
            plate,
            layers,
            size=(self.width, self.height),
            camera=camera - origin,
            light=_lights(self.illumination, self.n_frames),
            shadow=light.uniform(0.55, 0.8) if self.shadow else 1.0,
            fps=fps,
            noise=check_number("noise", noise, 0),
            grey=check_choice("grey", grey, (True, False)),
            seed=seed,
        )

    def _bushes(self, rng: np.random.Generator, columns: int, fps: float) -> list[Layer]:
        layers, time = [], np.arange(self.n_frames) / fps
        for left in np.arange(0, columns, 0.5 * self.width):
            width, height = np.array([0.36 * self.width, 0.4 * self.height]) * rng.uniform(0.8, 1.2, 2)
            image = foliage(rng, width, height, (40, rng.uniform(100, 140), rng.uniform(60, 110)))
            sway = self.waving * np.sin(2 * np.pi * (rng.uniform(0.4, 0.8) * time + rng.uniform()))
            layers.append(swaying(image, (left, self.height * rng.uniform(0.4, 0.95)), sway))
        return layers

    def _actors(self, rng: np.random.Generator, plate: Image, view: Path) -> list[Layer]:
        colors, strolls, leaving, cloth = rng.spawn(4)

        def dress(image: Image) -> Image:
            rows, columns = image.shape[:2]
            y, x = cloth.integers(0, plate.shape[0] - rows), cloth.integers(0, plate.shape[1] - columns)
            return blend(grained(cloth, image), plate[y : y + rows, x : x + columns], self.camouflage)

        layers: list[Layer] = []
        for k, path in enumerate(self._paths(strolls, view)):
            layers += _thing(colors, k, path, min(self.width, self.height), dress)
        if self.left_object:
            layers += self._leaver(leaving, view, dress)
        return layers

    def _paths(self, rng: np.random.Generator, view: Path) -> Path:
        """Middle of every object on the plate, (n_objects, n_frames, 2): straight, turning back at the edges."""
        n, size = self.n_objects, np.array([self.width, self.height])
        low, high = size * [0.0, 0.15], size * [1.0, 0.85]
        paths = np.full((n, self.n_frames, 2), np.nan)
        angle = rng.uniform(-0.4, 0.4, n) + np.pi * rng.integers(0, 2, n)
        step = self.speed * rng.uniform(0.6, 1.4, (n, 1)) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        share = (rng.permutation(n) + rng.uniform(0, 1, n)) / max(n, 1)  # of the height: not all in one row
        place = low + (high - low) * np.stack([rng.uniform(0.1, 0.9, n), share], axis=1)
        if self.quiet_frames > 0:  # they come in from the side that they walk away from
            place[:, 0] = np.where(step[:, 0] > 0, -0.2, 1.2) * self.width
        time = (np.arange(self.n_frames) - self.quiet_frames) / max(self.n_frames - self.quiet_frames, 1)
        halt = rng.uniform(0.15, 0.6, n)
        for i in range(self.quiet_frames, self.n_frames):
            paths[:, i] = view[i] + place
            step = np.where(place < low, np.abs(step), np.where(place > high, -np.abs(step), step))
            stands = self.stop_and_go & (time[i] >= halt) & (time[i] < halt + 1 / 7)
            place = place + np.where(stands[:, None], [-self.pan, 0.0], step)
        return paths

    def _leaver(self, rng: np.random.Generator, view: Path, dress: Callable[[Image], Image]) -> list[Layer]:
        """A person who comes in from the left, sets a case down at 45 % of the width, and goes on."""
        tall, n = 0.36 * min(self.width, self.height), self.n_frames - self.quiet_frames
        share = (np.arange(self.n_frames) - self.quiet_frames) / max(n, 1)
        carried, gone = 0.35, 0.4
        x = np.interp(share, [0, carried, gone, 1], np.array([-0.15, 0.45, 0.45, 1.75]) * self.width)
        feet = view + np.stack([x, np.full(self.n_frames, 0.85 * self.height)], axis=1)
        feet[share < 0] = np.nan
        case = feet + np.array([0.12 * tall, 0.0])
        case[:, 1] -= tall * np.interp(share, [carried, gone], [0.22, 0.0])
        case[share >= gone] = case[np.argmax(share >= gone)]
        shirt, trousers, leather = (_striking(rng) for _ in range(3))
        size = 0.2 * tall, 0.15 * tall
        poses = moved(case[:, 0] - size[0] / 2 - 2, case[:, 1] - size[1] - 2)
        person = walker(tall, feet, object_id=self.n_objects + 1, shirt=shirt, trousers=trousers, adapt=dress)
        return [*person, Layer(dress(box(*size, leather)), poses, self.n_objects + 2, feet[:, 1])]


def _striking(rng: np.random.Generator) -> Color:
    """A colour far from the background's, light or dark."""
    value = rng.choice([rng.uniform(35, 60), rng.uniform(200, 250)])
    b, g, r = value * (1 - rng.permutation([0.0, rng.uniform(0, 0.7), rng.uniform(0.3, 0.8)]))
    return (b, g, r)


def _thing(rng: np.random.Generator, k: int, path: Path, unit: int, dress: Callable[[Image], Image]) -> list[Layer]:
    """Object k (id k + 1): a person or a turning shape, up to 0.4 `unit` tall, whose middle follows `path`."""
    tall, wide = unit * rng.uniform(0.16, 0.3, 2)
    if k % 4 == 0:
        tall = 1.3 * max(tall, wide)
        shirt, trousers = _striking(rng), _striking(rng)
        return walker(
            tall, path + np.array([0, tall / 2]), object_id=k + 1, shirt=shirt, trousers=trousers, adapt=dress
        )
    color = _striking(rng)
    image = dress((box(wide, tall, color), ellipse(wide, tall, color), blob(rng, wide, tall, color))[k % 4 - 1])
    way = np.nancumsum(np.hypot(*np.diff(path, axis=0, prepend=path[:1]).T))
    spin = rng.uniform(-1, 1) * way / unit
    poses = moved(path[:, 0], path[:, 1]) @ turned(spin) @ moved(-wide / 2 - 2, -tall / 2 - 2)
    return [Layer(image, poses, k + 1, path[:, 1] + tall / 2)]


def _lights(kind: str, n_frames: int) -> npt.NDArray[np.float64]:
    """Gain and offset of every frame, float64 (n_frames, 2)."""
    light = np.tile([1.0, 0.0], (n_frames, 1))
    share = np.arange(n_frames) / n_frames
    if kind == "ramp":
        light += np.sin(2 * np.pi * share)[:, None] * [0.25, 8.0]
    elif kind == "switch":
        light[share >= 0.6] = 0.65, 0.0
    return light
