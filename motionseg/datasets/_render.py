"""The renderer of synthetic scenes: cut-outs that move affinely over a plate, and the exact truth about them."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.types import Boxes, Flow, Frame

__all__ = ["Layer", "Scene", "SyntheticFrame", "moved", "turned"]

Matrices = npt.NDArray[np.float64]
Place = tuple[slice, slice]
# A pixel less covered than _SOME is not touched by an object, one more covered than _ALL is nothing but the object.
_SOME, _ALL = 0.05, 0.95
_PLATE, _MIXED = -1, -2
_STATIC, _SHADOW, _UNKNOWN, _MOTION = 0, 50, 170, 255
_SHADOW_LEAN, _SHADOW_LENGTH = 0.5, 0.3  # how far a cast shadow goes right and down, in heights of its object


@dataclass(frozen=True, eq=False)
class SyntheticFrame:
    """One frame of a synthetic scene and everything that is true of it.

    Attributes
    ----------
    index : int
        From 0.
    time : float
        ``index / fps``, seconds.
    frame : uint8 (H, W, 3) or (H, W)
        The picture, BGR or grey.
    truth : uint8 (H, W)
        CDnet's codes: 0 static, 50 cast shadow, 170 unknown (edge pixels that an object or shadow covers in
        part, between 5 and 95 %), 255 motion. An object that stands still or was left behind stays motion.
    labels : int32 (H, W)
        The id of the object that covers most of the pixel, 0 for none. Ids last through the scene, so a
        frame's labels have gaps; every motion pixel has a label, of unknown ones those covered by half.
    ids : int64 (N,)
        The ids in `labels`, ascending. An object hidden or outside the picture is not among them.
    boxes : float32 (N, 4)
        Bounding boxes of the visible part of each id: x0, y0, x1, y1, half-open.
    flow : float32 (H, W, 2)
        Where each pixel of the previous frame went: dx right, dy down, pixels, previous -> current, at the
        pixels of the previous frame. Frame 0: zeros.
    flow_valid : bool (H, W)
        Where `flow` is known and its target seen: False at edges, where the pixel is hidden in this frame or
        leaves it, and everywhere in frame 0.
    background : uint8, shape of `frame`
        The empty scene at this time: illuminated and swaying, without objects, shadows and noise.
    camera : float64 (3, 3)
        Motion of the background from the previous frame's pixels to this one's. Frame 0: identity.
    """

    index: int
    time: float
    frame: Frame
    truth: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int32]
    ids: npt.NDArray[np.int64]
    boxes: Boxes
    flow: Flow
    flow_valid: npt.NDArray[np.bool_]
    background: Frame
    camera: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Layer:
    """A flat cut-out and where it is in every frame.

    Attributes
    ----------
    image : uint8 (h, w, 4)
        BGR premultiplied by alpha, and alpha; with an empty margin of a pixel.
    poses : float64 (n_frames, 3, 3)
        Affine, from the image's pixels to those of the world; NaN where it is absent.
    object_id : int
        Which object it is a part of; 0 for scenery, which may sway but is not motion.
    ground : float64 (n_frames,), optional
        The world's y at which the object stands and its shadow begins; None: it casts none.
    """

    image: npt.NDArray[np.uint8]
    poses: Matrices
    object_id: int = 0
    ground: npt.NDArray[np.float64] | None = None


def moved(x: Any, y: Any) -> Matrices:
    """Translations by (`x`, `y`) pixels, float64 (..., 3, 3); arrays broadcast."""
    matrices = np.zeros((*np.broadcast_shapes(np.shape(x), np.shape(y)), 3, 3))
    matrices[..., (0, 1, 2), (0, 1, 2)] = 1
    matrices[..., 0, 2], matrices[..., 1, 2] = x, y
    return matrices


def turned(angle: Any, flip: Any = 1.0) -> Matrices:
    """Rotations by `angle` (radians, clockwise as seen) after a mirroring of x where `flip` is -1."""
    matrices = moved(np.zeros(np.broadcast_shapes(np.shape(angle), np.shape(flip))), 0.0)
    matrices[..., 0, 0], matrices[..., 0, 1] = np.cos(angle) * flip, -np.sin(angle)
    matrices[..., 1, 0], matrices[..., 1, 1] = np.sin(angle) * flip, np.cos(angle)
    return matrices


class _Coverage:
    """Who is seen at each pixel of one frame: layer indices, how purely, and how much of it is object or shadow."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.owner = np.full(shape, _PLATE, np.int16)
        self.purity = np.ones(shape, np.float32)
        self.motion = np.zeros(shape, np.float32)
        self.shade = np.zeros(shape, np.float32)
        self.places: dict[int, Place] = {}

    def put(self, layer: int, place: Place, alpha: npt.NDArray[np.float32], moves: bool) -> None:
        rest = 1 - alpha
        top = alpha >= 0.5
        for amount in (self.purity, self.motion, self.shade):
            amount[place] *= rest
        np.copyto(self.purity[place], alpha, where=top)
        np.copyto(self.owner[place], np.int16(layer), where=top)
        if moves:
            self.motion[place] += alpha
        self.places[layer] = place

    def solid(self) -> npt.NDArray[np.int16]:
        return np.where(self.purity >= _ALL, self.owner, np.int16(_MIXED))


class _Cutout:
    """A picture (or its alpha alone) with its poses (n_frames, 3, 3) in the frame's pixels."""

    def __init__(self, image: npt.NDArray[np.uint8], poses: Matrices, camera: Matrices, size: tuple[int, int]) -> None:
        self.image, self.poses = image, poses.copy()
        self.poses[:, :2, 2] -= camera
        height, width = image.shape[:2]
        corners = self.poses[:, :2] @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
        low, high = np.floor(corners.min(axis=2)), np.ceil(corners.max(axis=2)) + 1
        absent = np.isnan(low).any(axis=1, keepdims=True)
        low, high = (np.clip(np.where(absent, 0, edge), 0, size) for edge in (low, high))
        self.boxes = np.hstack([low, high]).astype(int)

    def at(self, i: int) -> tuple[Place, npt.NDArray[np.uint8]] | None:
        """The rows and columns that it takes up in frame `i`, and what it shows there; None outside the frame."""
        x0, y0, x1, y1 = self.boxes[i].tolist()
        if x1 <= x0 or y1 <= y0:
            return None
        pose = self.poses[i, :2] - [[0, 0, x0], [0, 0, y0]]
        return (slice(y0, y1), slice(x0, x1)), cv2.warpAffine(self.image, pose, (x1 - x0, y1 - y0))


class Scene(Sequence[SyntheticFrame]):
    """A plate, layers over it and a camera: frames by index, in any order, the same every time.

    Parameters
    ----------
    plate : uint8 (H', W', 3)
        The background, larger than the frame where the camera moves.
    layers : sequence of Layer
        From the farthest to the nearest.
    size : (int, int)
        Width and height of the frames.
    camera : float64 (n_frames, 2)
        The plate's x, y at the frame's first pixel. Layers' poses are on the plate, too.
    light : float64 (n_frames, 2), optional
        Gain, and offset in grey levels, of all colours.
    shadow : float in (0, 1]
        Factor of the colours in cast shadows; 1 for none.
    fps, noise, grey, seed
        As in :class:`SyntheticScene`.

    Notes
    -----
    Frames are made when asked for and not kept. Layers are flat: they do not bend, and cast shadows on the plate only.
    Pictures are sampled bilinearly, which softens details by an amount that changes with the fraction of a pixel;
    `flow` and `camera` know nothing of that, nor of light and shadows.
    """

    def __init__(
        self,
        plate: npt.NDArray[np.uint8],
        layers: Sequence[Layer],
        *,
        size: tuple[int, int],
        camera: npt.NDArray[np.float64],
        light: npt.NDArray[np.float64] | None = None,
        shadow: float = 1.0,
        fps: float = 25.0,
        noise: float = 0.0,
        grey: bool = False,
        seed: int = 0,
    ) -> None:
        self._plate, self._size, self._camera, self._shadow = plate, size, camera, shadow
        self._light = np.tile([1.0, 0.0], (len(camera), 1)) if light is None else light
        self.fps, self.noise, self.grey, self.seed = fps, noise, grey, seed
        self._ids = np.array([*(layer.object_id for layer in layers), 0], np.int32)  # [_PLATE] is the last
        self._cutouts = [_Cutout(layer.image, layer.poses, camera, size) for layer in layers]
        self._shadows = [
            _Cutout(layer.image[..., 3].copy(), _cast(layer.poses, layer.ground), camera, size)
            for layer in layers
            if layer.ground is not None and shadow < 1
        ]
        self._last: tuple[int, _Coverage] | None = None  # frames are mostly taken in order, and flow needs two

    def __len__(self) -> int:
        return len(self._camera)

    def frames(self) -> Iterator[tuple[int, float, Frame]]:
        """(index, time, frame) of every frame, as ``motionseg.segment_stream`` takes them."""
        return ((shot.index, shot.time, shot.frame) for shot in self)

    def __getitem__(self, index: Any) -> SyntheticFrame:
        """Frame `index` and its truth; negative indices count from the end."""
        i = operator.index(index)
        i = i + len(self) if i < 0 else i
        if not 0 <= i < len(self):
            raise IndexError(f"frame {index} of a scene of {len(self)} frames")
        canvas, empty, seen = self._paint(i)
        labels = self._ids[seen.owner]
        ids = np.flatnonzero(np.bincount(labels.ravel(), minlength=1)[1:]) + 1
        rectangles = np.array([cv2.boundingRect((labels == k).view(np.uint8)) for k in ids]).reshape(-1, 4)
        flow, flow_valid = self._flow(i, seen)
        self._last = i, seen
        return SyntheticFrame(
            index=i,
            time=i / self.fps,
            frame=self._developed(canvas, i, self.noise),
            truth=_truth(seen, labels),
            labels=labels,
            ids=ids.astype(np.int64),
            boxes=np.hstack([rectangles[:, :2], rectangles[:, :2] + rectangles[:, 2:]]).astype(np.float32),
            flow=flow,
            flow_valid=flow_valid,
            background=self._developed(empty, i, 0.0),
            camera=moved(*(self._camera[max(i - 1, 0)] - self._camera[i])),
        )

    def _patches(self, i: int) -> Iterator[tuple[int, Place, Any, npt.NDArray[np.float32]]]:
        for k, cutout in enumerate(self._cutouts):
            found = cutout.at(i)
            if found is not None:
                place, patch = found
                yield k, place, patch[..., :3], patch[..., 3] * np.float32(1 / 255)

    def _covered(self, i: int) -> _Coverage:
        seen = _Coverage(self._size[::-1])
        for k, place, _, alpha in self._patches(i):
            seen.put(k, place, alpha, self._ids[k] > 0)
        return seen

    def _paint(self, i: int) -> tuple[Any, Any, _Coverage]:
        """Frame `i`, the same without objects (both float32 BGR, before light and noise), and who is seen in it."""
        centre = self._camera[i] + (np.array(self._size) - 1) / 2
        empty = cv2.getRectSubPix(self._plate, self._size, tuple(map(float, centre)), patchType=cv2.CV_32F)
        canvas = empty.copy()
        seen = _Coverage(self._size[::-1])
        for cutout in self._shadows:
            found = cutout.at(i)
            if found is not None:
                place, alpha = found
                seen.shade[place] = np.maximum(seen.shade[place], alpha * np.float32(1 / 255))
        if self._shadows:
            canvas *= _thrice(1 - (1 - np.float32(self._shadow)) * seen.shade)
        for k, place, color, alpha in self._patches(i):
            moves = bool(self._ids[k] > 0)
            rest = _thrice(1 - alpha)
            for picture in (canvas,) if moves else (canvas, empty):
                picture[place] *= rest
                picture[place] += color
            seen.put(k, place, alpha, moves)
        return canvas, empty, seen

    def _developed(self, picture: Any, i: int, noise: float) -> Frame:
        """`picture` (float32 BGR; spoilt) in the light of frame `i`, with noise, as uint8."""
        gain, offset = self._light[i].astype(np.float32)
        picture *= gain
        picture += offset
        if self.grey:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        if noise > 0:
            grain = np.random.default_rng((self.seed, i)).standard_normal(picture.shape, np.float32)
            picture += np.float32(noise) * grain
        return np.asarray(cv2.add(picture, 0, dtype=cv2.CV_8U))  # rounds and saturates

    def _flow(self, i: int, now: _Coverage) -> tuple[Flow, npt.NDArray[np.bool_]]:
        width, height = self._size
        flow = np.zeros((height, width, 2), np.float32)
        if i == 0:
            return flow, np.zeros((height, width), bool)
        last = self._last
        before = last[1] if last is not None and last[0] == i - 1 else self._covered(i - 1)
        # A pixel is known where one layer alone shows; its target is seen if all four pixels around that are known to
        # be of the same layer. The last row and column are their own neighbours: a target beyond them is outside.
        known, target = before.solid(), np.pad(now.solid(), (0, 1), mode="edge")
        target = np.where(target[:, :-1] == target[:, 1:], target[:, :-1], np.int16(_MIXED))
        target = np.where(target[:-1] == target[1:], target[:-1], np.int16(_MIXED))

        shift = self._camera[i - 1] - self._camera[i]
        if shift.any():
            flow[:] = shift
        plate = (target == _PLATE).view(np.uint8)
        whole = np.floor(shift)
        if shift[0] > whole[0]:
            plate[:, -1] = 0
        if shift[1] > whole[1]:
            plate[-1] = 0
        plate = cv2.warpAffine(plate, moved(*-whole)[:2], self._size, flags=cv2.INTER_NEAREST)
        valid = plate.view(bool) & (known == _PLATE)

        poses = [self._cutouts[k].poses[i - 1 : i + 1] for k in before.places]
        old, new = np.array(poses).reshape(-1, 2, 3, 3).swapaxes(0, 1)
        for (k, (rows, columns)), motion in zip(before.places.items(), new @ np.linalg.inv(old), strict=True):
            own = before.owner[rows, columns] == k
            if not motion[0, 0] * motion[1, 1] > motion[0, 1] * motion[1, 0]:  # gone (NaN), or it turned round
                continue
            y, x = np.nonzero(own)
            y, x = y + rows.start, x + columns.start
            step = motion[:2] @ np.stack([x, y, np.ones_like(x)]) - [x, y]
            flow[y, x] = step.T
            to_x, to_y = flow[y, x, 0] + x, flow[y, x, 1] + y
            inside = (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)
            y, x, to_y, to_x = (v[inside] for v in (y, x, to_y.astype(int), to_x.astype(int)))
            valid[y, x] = (known[y, x] == k) & (target[to_y, to_x] == k)
        return flow, valid


def _thrice(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The plane for each of three channels; numpy's own broadcasting over a last axis of 3 is several times slower."""
    return np.asarray(cv2.merge((plane, plane, plane)))


def _cast(poses: Matrices, ground: npt.NDArray[np.float64]) -> Matrices:
    """Poses of the shadow that a thing standing at `ground` throws to the right and towards the camera."""
    flat = np.array([[1, -_SHADOW_LEAN, 0], [0, -_SHADOW_LENGTH, 0], [0, 0, 1]])
    return moved(0.0, ground) @ flat @ moved(0.0, -ground) @ poses


def _truth(seen: _Coverage, labels: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    truth = np.zeros(labels.shape, np.uint8)
    truth[seen.shade >= _ALL] = _SHADOW
    partly = (seen.motion > _SOME) | ((seen.shade > _SOME) & (seen.shade < _ALL))
    truth[partly] = _UNKNOWN
    truth[(seen.motion >= _ALL) & (labels > 0)] = _MOTION
    return truth
