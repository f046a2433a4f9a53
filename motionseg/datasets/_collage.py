"""Scenes to learn from: things cut out of photographs move over photographs, with all that makes real footage hard."""

from __future__ import annotations

import operator
from collections import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.checks import check_choice, check_integer
from motionseg.core.errors import ParameterError
from motionseg.core.types import Frame
from motionseg.datasets._actors import walker
from motionseg.datasets._collage_paths import camera_path, object_path, smooth
from motionseg.datasets._light import Light
from motionseg.datasets._material import Material
from motionseg.datasets._render import moved, turned
from motionseg.datasets._shade import Part, Shade, warped
from motionseg.datasets._sprites import Image, blob, capsule, foliage

__all__ = ["CAMERAS", "Collage", "CollageFrame"]

Matrices = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32]

CAMERAS = ("fixed", "shaking", "moving")
"""What the camera of a collage may do."""

_STATIC, _SHADOW, _UNKNOWN, _MOTION = 0, 50, 170, 255  # CDnet's codes
_SURE = 0.1  # share of the light: what takes less is no shadow


@dataclass(frozen=True, eq=False)
class CollageFrame:
    """One frame of a collage and what is true of it.

    Attributes
    ----------
    index : int
        From 0.
    frame : uint8 (H, W, 3)
        The picture, BGR.
    truth : uint8 (H, W)
        CDnet's codes: 0 static, 50 shade (of a cast shadow, a soft one or a mirror image) that changes the light by
        more than a tenth, 170 unknown (a thing that will leave and has not set out yet, and its shade), 255 motion. A
        thing that has moved and stands still stays motion. Where the lens or motion blurs an edge, it lies where the
        sharp one covers half a pixel.
    labels : uint8 (H, W)
        The id of the thing that covers most of the pixel, 0 for none; ids last through the scene. Every pixel of motion
        has one, and those of things that have not set out yet.
    """

    index: int
    frame: Frame
    truth: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]


class Collage(abc.Sequence[CollageFrame]):
    """A scene drawn from a seed: frames by index, in any order, the same every time.

    Parameters
    ----------
    material : Material
        Photographs and cut-outs.
    width, height : int in [64, 4000]
        Pixels.
    n_frames : int, at least 1
        Some 25 of them are a second.
    camera : {"fixed", "shaking", "moving"}
        What it does. In "moving" there is parallax (uneven ground, poles and things it passes), and some of the
        things are followed.
    calm : bool
        A scene as most are: the light stays, there is little noise, nothing waves or ripples, and things are neither
        tiny nor in disguise.
    seed : int, at least 0
        Decides all else: how many things there are, of which size (from 5 pixels to more than the picture) and look
        (some in the colours of the background); whether they cross, wander, sway, stop, or leave a place where they
        have stood since the beginning; hard, soft or no shadows, on the ground or a wall; soft shade or glow about
        things, mirror images on polished ground; light that drifts, is switched, or lies under clouds; bushes that
        wave, water that ripples; things in front; blur, noise, low resolution.

    Raises
    ------
    ParameterError
        A parameter is out of range, or of another kind.
    SourceError
        A picture of `material` cannot be read.

    Notes
    -----
    Frames are made when asked for and not kept; what they are made of is: 3 to 25 bytes for each pixel of a frame, and
    the things.
    Shade falls on the photograph behind everything only, and the same way for all things. Slices are not offered.

    Compression is not among this: it needs an encoder, and frames in order (``motionseg.io.compressed``).

    Examples
    --------
    >>> shot = Collage(Material(), width=96, height=72, n_frames=20, seed=1)[10]
    >>> shot.frame.shape, shot.truth.dtype
    ((72, 96, 3), dtype('uint8'))
    """

    def __init__(
        self,
        material: Material,
        *,
        width: int = 320,
        height: int = 240,
        n_frames: int = 90,
        camera: str = "fixed",
        calm: bool = False,
        seed: int = 0,
    ) -> None:
        self.width, self.height = check_integer("width", width, 64, 4000), check_integer("height", height, 64, 4000)
        self.n_frames = check_integer("n_frames", n_frames, 1)
        self.camera = check_choice("camera", camera, CAMERAS)
        self.seed = check_integer("seed", seed, 0)
        if not isinstance(material, Material):
            raise ParameterError(f"material is a Material, not {material!r}")
        self._material, self._unit = material, min(self.width, self.height)
        soil, actors, scenery, light, shade, relief = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(6))
        self._world = camera_path(soil, self.camera, self.n_frames, (self.width, self.height))
        self._plate = material.photo(soil, self.height, self.width)
        if soil.random() < 0.25:  # a wall, a floor, a misty morning
            blurred = cv2.GaussianBlur(
                self._plate, (0, 0), self._unit * np.exp(soil.uniform(np.log(0.01), np.log(0.2)))
            )
            self._plate = np.asarray(cv2.addWeighted(blurred, 1 - soil.uniform(0, 0.3), self._plate, 0.15, 0))
        self._calm = bool(calm)
        self._relief = self._uneven(relief)
        self._parts = self._scenery(scenery) + self._actors(actors) + self._foreground(scenery) + self._near(relief)
        self._ripple = self._water(scenery)
        self._light = Light(light, self.n_frames, (self.width, self.height), calm=self._calm, seed=self.seed)
        self._shade = Shade(shade, (self.width, self.height))
        self._exposure = shade.uniform(0.2, 0.9) if shade.random() < 0.3 else 0.0

    def __len__(self) -> int:
        return self.n_frames

    @property
    def ids(self) -> list[int]:
        """Of the things that move, or will."""
        return sorted({part.object_id for part in self._parts} - {0})

    # --- what is in it ---------------------------------------------------------------------

    def _scenery(self, rng: np.random.Generator) -> list[Part]:
        """Things that are fast, some nearer than the plate so that a camera that moves sees parallax, and bushes."""
        parts = []
        for _ in range(rng.integers(0, 5)):
            image = self._material.cutout(rng, self._unit * rng.uniform(0.1, 0.8))
            depth = rng.uniform(1, 1.8) if self.camera == "moving" and rng.random() < 0.6 else 1.0
            parts.append(Part(image, self._nearer(depth) @ moved(*self._anywhere(rng, image))))
        if rng.random() < 0.25 and not self._calm:
            for _ in range(rng.integers(1, 4)):
                parts.append(self._bush(rng))
        return parts

    def _uneven(self, rng: np.random.Generator) -> Values | None:
        """How much farther each place of the plate goes than a camera that moves has it go, as a share of that."""
        if self.camera != "moving" or rng.random() > 0.7:
            return None
        y = np.linspace(0, 1, self.height, dtype=np.float32)[:, None]
        hills = cv2.resize(
            rng.standard_normal((rng.integers(3, 9), rng.integers(3, 9))).astype(np.float32),
            (self.width, self.height),
            interpolation=cv2.INTER_CUBIC,
        )
        cliffs = cv2.GaussianBlur((hills > rng.normal()).astype(np.float32), (0, 0), rng.uniform(0.6, 4))
        ground, hill, cliff = rng.uniform(0, 1, 3) * (rng.random(3) < [0.6, 0.5, 0.4])
        relief = ground * np.maximum(y - rng.uniform(0, 0.7), 0) + 0.3 * hill * hills + cliff * cliffs
        return np.asarray(np.exp(rng.uniform(np.log(0.05), np.log(0.6))) * relief, np.float32)

    def _near(self, rng: np.random.Generator) -> list[Part]:
        """Before a camera that moves, poles and things that it passes: still, and in front of all."""
        parts: list[Part] = []
        if self.camera != "moving" or rng.random() < 0.3:
            return parts
        for _ in range(rng.integers(1, 5)):
            if rng.random() < 0.5:
                tall, thick = self._unit * rng.uniform([0.3, 0.02], [1.5, 0.15])
                image = self._filled(rng, capsule(tall, thick, thick, (255.0, 255.0, 255.0)))
            else:
                image = self._material.cutout(rng, self._unit * rng.uniform(0.1, 0.9))
            poses = self._nearer(1 + np.exp(rng.uniform(np.log(0.1), np.log(1.2))))
            x, y = rng.uniform(0, 1, 2) * [self.width, self.height]  # when it is passed
            seen = poses[rng.integers(self.n_frames), :2, 2]
            parts.append(Part(image, poses @ moved(x - image.shape[1] / 2 - seen[0], y - image.shape[0] / 2 - seen[1])))
        return parts

    def _nearer(self, depth: float) -> Matrices:
        """The motion of the plate, with shifts that are `depth` times as large."""
        world = self._world.copy()
        world[:, :2, 2] *= depth
        return world

    def _anywhere(self, rng: np.random.Generator, image: Image) -> tuple[float, float]:
        """x and y for the first pixel of `image`, such that its middle lies on the plate, or about it."""
        reach = 1.6 if self.camera == "moving" else 1.0
        share = rng.uniform(0.5 - reach / 2, 0.5 + reach / 2, 2)
        return share[0] * self.width - image.shape[1] / 2, share[1] * self.height - image.shape[0] / 2

    def _bush(self, rng: np.random.Generator) -> Part:
        """Scenery that sways about its lower edge."""
        wide, tall = self._unit * rng.uniform(0.2, 0.8, 2)
        if rng.random() < 0.5:
            image = foliage(rng, wide, tall, (rng.uniform(20, 60), rng.uniform(60, 150), rng.uniform(40, 120)))
        else:
            image = self._filled(rng, blob(rng, wide, tall, (255.0, 255.0, 255.0)))
        time = np.arange(self.n_frames) / 25
        sway = (
            rng.uniform(0.005, 0.04) * self._unit * np.sin(2 * np.pi * (rng.uniform(0.3, 1.5) * time + rng.uniform()))
        )
        sway = sway * (1 + 0.5 * smooth(rng, self.n_frames, 20)[0])
        x, y = self._anywhere(rng, image)
        poses = moved(np.full(self.n_frames, x), y + image.shape[0])
        poses[:, 0, 1] = -sway / max(image.shape[0] - 4, 1)
        return Part(image, self._world @ poses @ moved(-2, 2 - image.shape[0]))

    def _filled(self, rng: np.random.Generator, image: Image) -> Image:
        """The outline of `image`, filled with a part of a photograph."""
        photo = self._material.photo(rng, *image.shape[:2])
        return np.dstack([photo * (image[..., 3:] / np.float32(255)), image[..., 3]]).round().astype(np.uint8)

    def _foreground(self, rng: np.random.Generator) -> list[Part]:
        """Now and then something fast that things pass behind."""
        if rng.random() > 0.25:
            return []
        image = self._material.cutout(rng, self._unit * rng.uniform(0.2, 0.7))
        return [Part(image, self._world @ moved(*self._anywhere(rng, image)))]

    def _actors(self, rng: np.random.Generator) -> list[Part]:
        """All that moves by itself, with ids from 1."""
        n = int(rng.choice([0, 1, 2, 3, 4, 6, 9], p=[0.04, 0.28, 0.24, 0.18, 0.12, 0.09, 0.05]))
        least = 0.25 if self._calm else 0.12
        largest = np.exp(rng.uniform(np.log(least), np.log(1.5)))  # of a scene: far and near views differ
        return [part for k in range(n) for part in self._actor(rng, k + 1, largest)]

    def _actor(self, rng: np.random.Generator, object_id: int, largest: float) -> list[Part]:
        """One such thing: a person in parts now and then, else a cut-out that bends, turns and grows."""
        tall = max(5.0, self._unit * largest * np.exp(rng.uniform(-1.1, 0)))
        followed = self.camera == "moving" and rng.random() < 0.6
        path, since = object_path(rng, self.n_frames, (self.width, self.height), tall, followed=followed)
        frame_of = np.eye(3) if followed else self._world
        since = 0 if followed else since  # the camera follows it, so it has set out
        stirs = np.maximum(np.arange(self.n_frames), since)
        if 24 < tall < 0.8 * self._unit and rng.random() < 0.25:
            feet = path + np.array([0.0, tall / 2])
            shirt, trousers = (tuple(rng.uniform(15, 240, 3)) for _ in range(2))
            dress = self._dressed(rng)
            layers = walker(tall, feet, object_id=object_id, shirt=shirt, trousers=trousers, adapt=dress)
            ground = _rows(frame_of, feet)
            return [Part(x.image, frame_of @ x.poses[stirs], object_id, ground, since) for x in layers]
        image = self._disguised(rng, self._material.cutout(rng, tall))
        size = np.array(image.shape[1::-1])
        growth = np.exp(np.linspace(0, rng.normal(0, 0.35), self.n_frames)) if rng.random() < 0.3 else 1.0
        bend = moved(np.zeros(self.n_frames), 0.0)  # a walk, more or less: the shape leans and stretches
        lean, stretch = smooth(rng, self.n_frames, rng.uniform(4, 15), 2) * rng.uniform(0, [[0.12], [0.08]])
        bend[:, 0, 1], bend[:, 0, 0] = lean, 1 + stretch
        bend[:, :2, :2] *= np.reshape(growth, (-1, 1, 1)) if np.ndim(growth) else growth
        spin = rng.normal(0, 0.05) * smooth(rng, self.n_frames, 20)[0]
        if rng.random() < 0.15:
            spin = spin + rng.normal(0, 0.03) * np.arange(self.n_frames)
        poses = (moved(path[:, 0], path[:, 1]) @ turned(spin) @ bend @ moved(*(-size / 2)))[stirs]
        ground = _rows(frame_of @ poses, np.tile([size[0] / 2, size[1] - 2.0], (self.n_frames, 1)))
        return [Part(image, frame_of @ poses, object_id, ground, since)]

    def _dressed(self, rng: np.random.Generator) -> Callable[[Image], Image]:
        """What puts folds, of some part of a photograph, on a picture of clothes or skin."""
        strength = rng.uniform(0, 0.7)
        cloth = self._material.photo(rng, 64, 64).astype(np.float32)
        cloth -= cloth.mean(axis=(0, 1))

        def dress(image: Image) -> Image:
            rows, columns = image.shape[:2]
            fold = cv2.resize(cloth, (columns, rows)) * (image[..., 3:] / np.float32(255))
            colors = image[..., :3] + strength * fold
            return np.dstack([np.clip(colors, 0, image[..., 3:]), image[..., 3]]).round().astype(np.uint8)

        return dress

    def _disguised(self, rng: np.random.Generator, image: Image) -> Image:
        """The thing in other colours, and now and then in those of the background."""
        alpha = image[..., 3:] / np.float32(255)
        weight = max(float(alpha.sum()), 1.0)
        colors = image[..., :3].astype(np.float32)
        mean = colors.sum(axis=(0, 1)) / weight
        gain, shift = np.exp(rng.normal(0, 0.25)) * np.exp(rng.normal(0, 0.06, 3)), rng.normal(0, 15)
        if rng.random() < 0.2 and not self._calm:
            rows, columns = (max(1, min(a, b)) for a, b in zip(image.shape[:2], self._plate.shape[:2], strict=True))
            y, x = rng.integers(self.height - rows + 1), rng.integers(self.width - columns + 1)
            near = self._plate[y : y + rows, x : x + columns].mean(axis=(0, 1))
            shift = near + rng.normal(0, 18, 3) - gain * mean
        colors = gain * colors + shift * alpha
        return np.dstack([np.clip(colors, 0, image[..., 3:]), image[..., 3]]).round().astype(np.uint8)

    def _water(self, rng: np.random.Generator) -> Any:
        """A ripple over a part of the plate: its height by rows, three waves; None mostly."""
        if rng.random() > 0.12 or self._calm:
            return None
        y = np.arange(self.height, dtype=np.float32)[:, None]
        weight = np.clip((y / self.height - rng.uniform(0, 0.8)) * rng.choice([-6, 6]), 0, 1)
        waves = [
            (rng.uniform(0.03, 0.3), rng.uniform(-0.2, 0.2), rng.uniform(0.1, 0.6), rng.uniform(0, 6)) for _ in range(3)
        ]
        return weight * rng.uniform(0.004, 0.015) * self._unit, waves

    # --- pictures of it ----------------------------------------------------------------------

    def __getitem__(self, index: Any) -> CollageFrame:
        """Frame `index` and its truth; negative indices count from the end. IndexError where there is none."""
        return self._drawn(self._place(index), self._parts)

    def without(self, index: int, *, left: abc.Collection[int] = ()) -> Frame:
        """Frame `index` without the things that move, but for those of the ids `left`; uint8 (H, W, 3), BGR."""
        parts = [part for part in self._parts if not part.object_id or part.object_id in left]
        return self._drawn(self._place(index), parts).frame

    def _place(self, index: Any) -> int:
        i = operator.index(index)
        i = i + len(self) if i < 0 else i
        if not 0 <= i < len(self):
            raise IndexError(f"frame {index} of a scene of {len(self)} frames")
        return i

    def _drawn(self, i: int, parts: abc.Sequence[Part]) -> CollageFrame:
        canvas = self._plate_at(i)
        truth = np.zeros((self.height, self.width), np.uint8)
        awake = [part for part in parts if i >= part.since]
        truth[self._shade.fall(canvas, awake, i) > _SURE] = _SHADOW
        truth[self._shade.fall(canvas, [part for part in parts if i < part.since], i) > _SURE / 2] = _UNKNOWN
        labels = np.zeros_like(truth)
        for part in parts:
            placed = self._patch(part, i)
            if placed is None:
                continue
            place, patch = placed
            alpha = patch[..., 3] * np.float32(1 / 255)
            canvas[place] *= cv2.merge([1 - alpha] * 3)
            canvas[place] += patch[..., :3]
            solid = patch[..., 3] >= 128
            code = _STATIC if not part.object_id else _MOTION if i >= part.since else _UNKNOWN
            np.copyto(truth[place], np.uint8(code), where=solid)
            np.copyto(labels[place], np.uint8(part.object_id), where=solid)
        return CollageFrame(i, self._light.developed(canvas, i), truth, labels)

    def _plate_at(self, i: int) -> Values:
        """The photograph behind all, as the camera has it in frame `i`, float32 BGR."""
        world = self._world[i, :2]
        if self._ripple is None and self._relief is None:
            if np.array_equal(world, np.eye(3)[:2]):
                return self._plate.astype(np.float32)
            size = (self.width, self.height)
            warped = cv2.warpAffine(self._plate, world, size, borderMode=cv2.BORDER_REFLECT_101)
            return warped.astype(np.float32)
        y, x = np.mgrid[: self.height, : self.width].astype(np.float32)
        a = np.linalg.inv(self._world[i])[:2].astype(np.float32)
        source_x, source_y = a[0, 0] * x + a[0, 1] * y + a[0, 2], a[1, 0] * x + a[1, 1] * y + a[1, 2]
        if self._relief is not None:
            middle = np.array([self.width / 2, self.height / 2, 1])
            shift = (self._world[i] @ middle - middle)[:2].astype(np.float32)
            high = cv2.remap(self._relief, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            source_x, source_y = source_x - high * shift[0], source_y - high * shift[1]
        if self._ripple is not None:
            weight, waves = self._ripple
            dx = (weight * sum(np.sin(kx * y + ky * x + w * i + p) for kx, ky, w, p in waves)).astype(np.float32)
            source_x, source_y = source_x + dx, source_y + dx / 2
        bent = cv2.remap(self._plate, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return bent.astype(np.float32)

    def _patch(self, part: Part, i: int) -> tuple[tuple[slice, slice], npt.NDArray[np.uint8]] | None:
        """What a part shows in frame `i`, smeared by its motion, and where."""
        pose = part.poses[i]
        smear = None
        if self._exposure and part.object_id:
            other = part.poses[min(i + 1, self.n_frames - 1)]
            middle = np.array([part.image.shape[1] / 2, part.image.shape[0] / 2, 1])
            way = self._exposure * (other @ middle - pose @ middle)[:2]
            if 1.5 < np.abs(way).max() < 40:
                smear = way
        pad = 0 if smear is None else int(np.abs(smear).max()) + 1
        placed = warped(part.image, pose, (self.width, self.height), pad)
        if placed is None or smear is None:
            return placed
        place, patch = placed
        side = 2 * pad + 1
        line = np.zeros((side, side), np.float32)
        ends = [tuple(int(v) for v in np.rint(pad + sign * smear / 2)) for sign in (-1, 1)]
        cv2.line(line, *ends, 1.0)
        return place, cv2.filter2D(patch, -1, line / line.sum(), borderType=cv2.BORDER_CONSTANT)


def _rows(matrices: Any, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """y of `points` (n, 2) after `matrices` (n, 3, 3) or one (3, 3)."""
    return np.asarray((matrices @ np.column_stack([points, np.ones(len(points))])[..., None])[:, 1, 0])
