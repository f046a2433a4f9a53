"""Conformance checks of flow clusterers: what all methods promise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.cluster import FlowClusterer
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.geometry import mask_iou, transform_flow
from motionseg.core.types import Flow, Labels
from motionseg.testing._common import check_parameters, raises, require

__all__ = ["CLUSTER_CHECKS", "check_flow_clusterer"]

_SHAPE = (96, 128)
_HOMOGRAPHY = np.array([[1.01, -0.02, 4.4], [0.02, 1.01, 2.7], [4e-5, -6e-5, 1]])
_FOUND = 0.5  # IoU


def check_flow_clusterer(clusterer: FlowClusterer) -> None:
    """Run every check of `CLUSTER_CHECKS` on `clusterer`.

    Raises
    ------
    AssertionError
        The first check that fails, with what was expected.

    Examples
    --------
    >>> from motionseg.cluster import ResidualThreshold
    >>> check_flow_clusterer(ResidualThreshold())
    """
    for check in CLUSTER_CHECKS:
        check(clusterer)


def _noise(shape: tuple[int, int], seed: int = 0, spread: float = 0.05) -> Flow:
    return np.random.default_rng(seed).normal(0, spread, (*shape, 2)).astype(np.float32)


def _square(shape: tuple[int, int] = _SHAPE, x: int = 40, y: int = 30, side: int = 36) -> npt.NDArray[np.bool_]:
    square = np.zeros(shape, bool)
    square[y : y + side, x : x + side] = True
    return square


def _scene(shape: tuple[int, int] = _SHAPE) -> Flow:
    """A square that moves by (6, -3) before a camera that stands still, and a little noise."""
    flow = _noise(shape)
    flow[_square(shape)] += np.float32([6, -3])
    return flow


def _segment(clusterer: FlowClusterer, flow: Flow, **more: Any) -> Labels:
    """As a clone answers that has seen nothing before; its contract is looked at."""
    labels = clusterer.clone().segment(flow, **more)
    require(labels.dtype == np.int32 and labels.shape == flow.shape[:2], clusterer, "labels are int32 (H, W)")
    require(labels.flags.writeable, clusterer, "labels are the caller's own")
    areas = np.bincount(labels.ravel())[1:] if labels.min() >= 0 else np.zeros(1)
    require((areas > 0).all(), clusterer, "labels are 0, 1..N without gaps")
    require((np.diff(areas) <= 0).all(), clusterer, "the largest part is 1, the others follow by area")
    return labels


def _check_rest(clusterer: FlowClusterer) -> None:
    """Nothing moves, or all of the picture as one: no labels."""
    for shape in (_SHAPE, (97, 131)):
        for motion in ((0, 0), (3, -2), (0.3, 0), (-40, 25)):
            for noise in (0.0, 0.05):
                flow = _noise(shape, spread=noise) + np.float32(motion)
                require(not _segment(clusterer, flow).any(), clusterer, f"a constant flow of {motion} has no parts")


def _check_camera(clusterer: FlowClusterer) -> None:
    """What the camera does is no motion of parts, given as a transform or as a flow."""
    camera = transform_flow(_HOMOGRAPHY, _SHAPE)
    for noise in (0.0, 0.05):
        flow = camera + _noise(_SHAPE, spread=noise)
        for given in (_HOMOGRAPHY, camera, _HOMOGRAPHY.tolist()):
            require(not _segment(clusterer, flow, camera=given).any(), clusterer, "the camera's motion has no parts")
    square = _square()
    flow[square] += np.float32([6, -3])
    for given in (_HOMOGRAPHY, camera):
        found = _segment(clusterer, flow, camera=given) > 0
        require(mask_iou(found, square) > _FOUND, clusterer, "what moves otherwise than the camera is found")


def _check_square(clusterer: FlowClusterer) -> None:
    """A square that moves by itself is one part, with and without a frame."""
    for shape in (_SHAPE, (150, 111)):
        square = _square(shape)
        frame = np.random.default_rng(1).integers(60, 90, (*shape, 3)).astype(np.uint8)
        frame[square] += np.uint8(90)
        for more in ({}, {"frame": frame}, {"frame": frame[..., 0]}):
            labels = _segment(clusterer, _scene(shape), **more)
            require(mask_iou(labels > 0, square) > _FOUND, clusterer, "a square that moves by itself is found")
            require(mask_iou(labels == 1, square) > _FOUND, clusterer, "what moves as one is one part")


def _check_two(clusterer: FlowClusterer) -> None:
    """Two squares far from each other that move apart are two parts."""
    shape = (96, 160)
    left, right = _square(shape, 16, 30, 40), _square(shape, 108, 28, 32)
    flow = _noise(shape)
    flow[left] += np.float32([-5, 0])
    flow[right] += np.float32([5, 1])
    labels = _segment(clusterer, flow)
    parts = [int(np.bincount(labels[square]).argmax()) for square in (left, right)]
    found = all(mask_iou(labels == part, square) > _FOUND for part, square in zip(parts, (left, right), strict=True))
    require(0 not in parts and found, clusterer, "both of two squares are found")
    require(parts[0] != parts[1], clusterer, "two squares that move apart are two parts")


def _check_valid(clusterer: FlowClusterer) -> None:
    """Where the flow is not to be believed there are no labels, and it spoils nothing elsewhere."""
    flow, valid = _scene(), np.ones(_SHAPE, bool)
    valid[:, 100:] = False
    flow[:, 100:] = np.random.default_rng(2).uniform(-300, 300, flow[:, 100:].shape)
    labels = _segment(clusterer, flow, valid=valid)
    require(not labels[~valid].any(), clusterer, "where the flow is not valid, labels are 0")
    require(mask_iou(labels > 0, _square()) > _FOUND, clusterer, "invalid flow elsewhere hides nothing")
    require(not _segment(clusterer, flow, valid=np.zeros(_SHAPE, bool)).any(), clusterer, "nothing valid, no labels")
    half = _square() & (np.arange(_SHAPE[1]) < 58)
    labels = _segment(clusterer, _scene(), valid=~half)
    require(not labels[half].any(), clusterer, "a part ends where the flow is not valid")


def _check_sizes(clusterer: FlowClusterer) -> None:
    """Pictures of any size are answered."""
    for shape in ((1, 1), (1, 50), (3, 200), (17, 5), (64, 64)):
        still = np.zeros((*shape, 2), np.float32)
        require(not _segment(clusterer, still).any(), clusterer, f"{shape} pixels that stand still have no parts")
        _segment(clusterer, 10 * _noise(shape))
        _segment(clusterer, 10 * _noise(shape), valid=_noise(shape)[..., 0] > 0)


def _check_manners(clusterer: FlowClusterer) -> None:
    """It answers the same whenever and wherever it is asked, of any memory layout, and changes nothing."""
    camera, valid = np.eye(3), np.ones(_SHAPE, bool)
    flow = _scene()
    frame = np.random.default_rng(3).integers(0, 256, (*_SHAPE, 3), np.uint8)
    lent: dict[str, Any] = {"camera": camera.copy(), "valid": valid.copy(), "frame": frame.copy()}
    given = flow.copy()
    expected = _segment(clusterer, given, **lent)
    unchanged = [np.array_equal(a, b) for a, b in ((given, flow), (lent["camera"], camera), (lent["frame"], frame))]
    require(all(unchanged) and lent["valid"].all(), clusterer, "input is left unchanged")
    used = clusterer.clone()
    used.segment(_noise((50, 70)))
    used.reset()
    lots = np.random.get_state()  # noqa: NPY002 - nobody may draw from the global generator
    np.random.seed(5)  # noqa: NPY002
    first = used.segment(flow, **lent)
    kept = first.copy()
    used.segment(_noise(_SHAPE, seed=4))
    require(np.array_equal(first, kept), clusterer, "labels that were handed out do not change")
    first[...] = 77
    used.reset()
    np.random.seed(6)  # noqa: NPY002
    answers = [kept, used.segment(flow, **lent)]
    answers.append(_segment(clusterer, np.asfortranarray(flow), frame=frame[::-1].copy()[::-1], camera=camera))
    answers.append(_segment(clusterer, flow.astype(np.float64), frame=frame))
    worker = threading.Thread(target=lambda: answers.append(_segment(clusterer, flow, frame=frame)))
    worker.start()
    worker.join()
    np.random.set_state(lots)  # noqa: NPY002
    same = [np.array_equal(expected, answer) for answer in answers]
    require(len(same) == 5 and all(same), clusterer, "equal flow gives equal labels, always")


def _check_bad_input(clusterer: FlowClusterer) -> None:
    """Bad flow, masks, frames and cameras are refused with the right error."""
    good = _scene()
    broken = good.copy()
    broken[7, 9, 1] = np.nan
    for bad in (broken, good[..., 0], good[..., :1], good.astype(np.int32), good[:0], good.tolist(), None):
        require(raises(FrameError, clusterer.clone().segment, bad), clusterer, "bad flow raises FrameError")
    more: tuple[dict[str, Any], ...] = (
        {"valid": np.ones((2, 2), bool)},
        {"valid": np.ones(_SHAPE, np.uint8)},
        {"frame": np.zeros((2, 2), np.uint8)},
        {"frame": np.zeros(_SHAPE, np.float32)},
        {"camera": good[:-1]},
        {"camera": broken},
    )
    for arguments in more:
        refused = raises(FrameError, clusterer.clone().segment, good, **arguments)
        require(refused, clusterer, f"bad {next(iter(arguments))} raises FrameError")
    for camera in (np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2), "no matrix"):
        refused = raises(ParameterError, clusterer.clone().segment, good, camera=camera)
        require(refused, clusterer, f"the camera {camera!r} raises ParameterError")


CLUSTER_CHECKS: tuple[Callable[[FlowClusterer], None], ...] = (
    check_parameters,
    _check_rest,
    _check_camera,
    _check_square,
    _check_two,
    _check_valid,
    _check_sizes,
    _check_manners,
    _check_bad_input,
)
"""The promises of flow clusterers."""
