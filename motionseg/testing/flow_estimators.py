"""Conformance checks of dense flow: what all estimators promise."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.core.errors import FrameError
from motionseg.core.parallel import get_num_threads, set_num_threads
from motionseg.core.types import Flow, Frame
from motionseg.flow.base import FlowEstimator
from motionseg.testing._common import check_parameters, raises, require

__all__ = ["FLOW_CHECKS", "check_flow_estimator"]

_HEIGHT, _WIDTH = 78, 101
_INNER = (slice(14, -14), slice(14, -14))  # what no motion of these checks takes out of view


def check_flow_estimator(estimator: FlowEstimator) -> None:
    """Run every check of `FLOW_CHECKS` on `estimator`; frames have 100 x 80 pixels and move by up to 5.

    Raises
    ------
    AssertionError
        The first check that fails, with what was expected.

    Examples
    --------
    >>> from motionseg.flow import OpenCVDIS
    >>> check_flow_estimator(OpenCVDIS())
    """
    for check in FLOW_CHECKS:
        check(estimator)


def _texture(seed: int = 0, channels: tuple[int, ...] = (), shape: tuple[int, int] = (_HEIGHT, _WIDTH)) -> Frame:
    """Blobs of two sizes, 24 pixels more at each side than `shape`."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(shape[0] + 48, shape[1] + 48, *channels)).astype(np.float32)
    blobs = cv2.GaussianBlur(noise, (0, 0), 1.7) + 4 * cv2.GaussianBlur(noise, (0, 0), 5)
    return np.asarray(cv2.normalize(blobs, None, 15, 240, cv2.NORM_MINMAX)).astype(np.uint8)


def _seen(world: Frame, dx: int = 0, dy: int = 0) -> Frame:
    """What is seen of `world` when everything has moved by (dx, dy)."""
    height, width = world.shape[0] - 48, world.shape[1] - 48
    return world[24 - dy : 24 - dy + height, 24 - dx : 24 - dx + width].copy()


def _pair() -> tuple[Frame, Frame]:
    world = _texture(1)
    return _seen(world), _seen(world, 2, -1)


def _error(flow: Flow, truth: npt.ArrayLike) -> float:
    """Mean endpoint error inside the picture, pixels."""
    return float(np.linalg.norm((flow - np.asarray(truth))[_INNER], axis=-1).mean())


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = get_num_threads()
    set_num_threads(n)
    try:
        yield
    finally:
        set_num_threads(before)


def _check_flow_contract(estimator: FlowEstimator) -> None:
    """Flow is float32 (H, W, 2) and finite, for grey and BGR frames, whatever they show."""
    noise = np.random.default_rng(2).integers(0, 256, (2, _HEIGHT, _WIDTH, 3), np.uint8)
    black, white = np.zeros((_HEIGHT, _WIDTH), np.uint8), np.full((_HEIGHT, _WIDTH), 255, np.uint8)
    for previous, current in (_pair(), tuple(noise), (black, white), (noise[0, ..., 0], white)):
        flow = estimator.estimate(previous, current)
        require(isinstance(flow, np.ndarray) and flow.dtype == np.float32, estimator, "flow is float32")
        require(flow.shape == (_HEIGHT, _WIDTH, 2), estimator, "flow has the frame's rows, its columns and 2 values")
        require(np.isfinite(flow).all(), estimator, "flow is finite everywhere")


def _check_shifts_found(estimator: FlowEstimator) -> None:
    """Shifts are found to half a pixel, right and down being positive, in grey and in colour."""
    for channels, shift in (((), (3, -2)), ((3,), (-4, 1)), ((), (0, 5))):
        world = _texture(3, channels)
        error = _error(estimator.estimate(_seen(world), _seen(world, *shift)), shift)
        require(error < 0.5, estimator, f"a shift by {shift} is found, not {error:.2f} px off")


def _check_zoom_found(estimator: FlowEstimator) -> None:
    """The flow of a zoom is found where the pixels of the first frame are, not where they go."""
    if "zoom" in estimator._unsupported:
        return
    second = _texture(4)[24:-24, 24:-24]
    y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.float32)
    outward = np.dstack([x - _WIDTH // 2, y - _HEIGHT // 2])
    places = np.dstack([x, y]) + 0.12 * outward
    first = cv2.remap(second, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    flow = estimator.estimate(np.asarray(first), second)
    error = _error(flow, 0.12 * outward)
    require(error < 0.5, estimator, f"a zoom is found, not {error:.2f} px off")
    growth = float((flow * outward)[_INNER].sum() / np.square(outward)[_INNER].sum())
    # At the pixels where they go it would be 0.12 / 1.12 = 0.107.
    require(abs(growth - 0.12) < 0.006, estimator, f"a zoom by 0.12 is that of the first frame, not {growth:.3f}")


def _check_stillness(estimator: FlowEstimator) -> None:
    """Where nothing moves, or nothing is to be seen, flow is 0."""
    frame, grey = _seen(_texture(5)), np.full((_HEIGHT, _WIDTH), 90, np.uint8)
    for what, previous, current in (
        ("a frame and itself", frame, frame),
        ("two grey frames", grey, grey),
        ("two grey frames of which one is darker", grey, grey - np.uint8(9)),
    ):
        flow = estimator.estimate(previous, current.copy())
        most = float(np.abs(flow[_INNER] if previous is frame else flow).max())
        require(most < 0.05, estimator, f"between {what} there is no flow, not {most:.2f} px")


def _check_frames_left_alone(estimator: FlowEstimator) -> None:
    """Frames are neither changed nor kept, and read-only ones are as good."""
    previous, current = _pair()
    expected = estimator.estimate(previous, current).copy()
    lent = previous.copy(), current.copy()
    for frame in lent:
        frame.flags.writeable = False
    refused = raises(ValueError, estimator.estimate, *lent)
    require(not refused, estimator, "read-only frames are taken")
    lent, fresh = (previous.copy(), current.copy()), estimator.clone()
    flow = fresh.estimate(*lent)
    unchanged = np.array_equal(lent[0], previous) and np.array_equal(lent[1], current)
    require(unchanged, estimator, "frames are left unchanged")
    lent[0][:], lent[1][:] = 0, 255
    kept = not np.array_equal(flow, expected) or not np.array_equal(fresh.estimate(previous, current), expected)
    require(not kept, estimator, "frames are not kept")


def _check_flow_is_the_callers(estimator: FlowEstimator) -> None:
    """What is returned can be written to, and nothing else sees it."""
    previous, current = _pair()
    first = estimator.estimate(previous, current)
    expected = first.copy()
    require(first.flags.writeable, estimator, "flow can be written to")
    second = estimator.estimate(current, previous)
    shared = np.shares_memory(first, second) or not np.array_equal(first, expected)
    require(not shared, estimator, "two answers share no memory")
    first[:] = 7
    same = np.array_equal(estimator.estimate(previous, current), expected)
    require(same, estimator, "an answer that was written to does not come back")


def _check_same_answers(estimator: FlowEstimator) -> None:
    """It answers the same whenever, wherever and by whichever clone it is asked, of any memory layout."""
    previous, current = _pair()
    expected = estimator.estimate(previous, current)
    other = _seen(_texture(6), 4, 4)
    estimator.estimate(other, previous)
    answers = [estimator.estimate(previous, current), estimator.clone().estimate(previous, current)]
    answers.append(estimator.estimate(np.asfortranarray(previous), current[::-1].copy()[::-1]))
    worker = threading.Thread(target=lambda: answers.append(estimator.estimate(previous, current)))
    worker.start()
    worker.join()
    same = len(answers) == 4 and all(np.array_equal(expected, answer) for answer in answers)
    require(same, estimator, "equal frames give equal answers, always")


def _check_any_thread_count(estimator: FlowEstimator) -> None:
    """Answers do not depend on the number of threads (in frames large enough for two)."""
    world = _texture(7, shape=(130, 260))
    answers = []
    for n in (1, 2):
        with _threads(n):
            answers.append(estimator.estimate(_seen(world), _seen(world, 1, 1)))
    require(np.array_equal(*answers), estimator, "two threads give the same flow as one")


def _check_bad_frames_refused(estimator: FlowEstimator) -> None:
    """Bad frames, and pairs that do not fit, are refused with FrameError."""
    good = _seen(_texture(8))
    bad = (good.astype(np.float32), good[:-1], good[:, 1:], np.dstack([good] * 3), good[None], good[:, :0])
    for frame in (*bad, good.tolist(), None):
        what = f"{frame.dtype} {frame.shape}" if isinstance(frame, np.ndarray) else type(frame).__name__
        refused = raises(FrameError, estimator.estimate, good, frame)
        require(refused, estimator, f"{what} beside uint8 {good.shape} raises FrameError")
    for frame in (good.astype(np.float32), good.astype(bool), good[..., None, None], None):
        require(raises(FrameError, estimator.estimate, frame, frame), estimator, "two bad frames raise FrameError")


FLOW_CHECKS: tuple[Callable[[FlowEstimator], None], ...] = (
    check_parameters,
    _check_flow_contract,
    _check_shifts_found,
    _check_zoom_found,
    _check_stillness,
    _check_frames_left_alone,
    _check_flow_is_the_callers,
    _check_same_answers,
    _check_any_thread_count,
    _check_bad_frames_refused,
)
"""The promises of flow estimators."""
