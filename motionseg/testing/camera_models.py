"""Conformance checks of camera motion: what all estimators promise."""

from __future__ import annotations

import threading
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from motionseg.camera import displacement
from motionseg.camera.base import CameraMotion, Motion
from motionseg.core.errors import FrameError, ParameterError
from motionseg.core.types import Frame
from motionseg.testing._common import check_parameters, raises, require

__all__ = ["CAMERA_CHECKS", "check_camera_motion"]

_VERDICTS = {"found", "textureless", "lost", "shot_change"}
_SHAPES = ((120, 160, 3), (120, 160), (97, 131, 3), (540, 620))


def check_camera_motion(camera: CameraMotion) -> None:
    """Run every check of `CAMERA_CHECKS` on `camera`.

    Raises
    ------
    AssertionError
        The first check that fails, with what was expected.

    Examples
    --------
    >>> from motionseg.camera import SparseCorners
    >>> check_camera_motion(SparseCorners())
    """
    for check in CAMERA_CHECKS:
        check(camera)


def _world(shape: tuple[int, ...], seed: int = 0) -> Frame:
    """A texture, 40 pixels larger than `shape` at each side, that is as fine in all sizes of frames."""
    noise = np.random.default_rng(seed).integers(0, 256, (shape[0] + 80, shape[1] + 80, *shape[2:]), np.uint8)
    grain = max(2.0, min(shape[:2]) / 100)
    return np.asarray(cv2.normalize(cv2.GaussianBlur(noise, (0, 0), grain), None, 20, 235, cv2.NORM_MINMAX))


def _seen(world: Frame, shape: tuple[int, ...], dx: int = 0, dy: int = 0) -> Frame:
    """What a camera sees of `world` in whose picture everything has moved by (dx, dy)."""
    return world[40 - dy : 40 - dy + shape[0], 40 - dx : 40 - dx + shape[1]].copy()


def _shift(dx: float, dy: float) -> npt.NDArray[np.float64]:
    return np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]], np.float64)


def _error(motion: Motion, truth: npt.NDArray[np.float64], shape: tuple[int, ...]) -> float:
    """Pixels by which the frame's pixels are put in wrong places."""
    return displacement(motion.transform @ np.linalg.inv(truth), shape)


def _require_contract(camera: CameraMotion, motion: Motion) -> None:
    transform = motion.transform
    require(transform.dtype == np.float64 and transform.shape == (3, 3), camera, "a transform is float64 (3, 3)")
    require(np.isfinite(transform).all() and transform[2, 2] == 1, camera, "a transform is finite and ends in 1")
    require(motion.verdict in _VERDICTS, camera, f"a verdict is one of {sorted(_VERDICTS)}, not {motion.verdict!r}")
    require(0 <= motion.support <= 1, camera, "a support is in [0, 1]")
    require(motion.surprise >= 0, camera, "a surprise is a distance")
    require(motion.found == (motion.support > 0), camera, "there is support where a motion was found, and only there")


def _check_shifts(camera: CameraMotion) -> None:
    """Shifts are found, in frames of any size, grey and BGR, and whatever the light does."""
    for shape in _SHAPES:
        world = _world(shape)
        previous = _seen(world, shape)
        for dx, dy in ((0, 0), (1, 0), (7, -4), (-11, 9)):
            for gain in (1.0, 0.7):
                current = np.asarray(gain * _seen(world, shape, dx, dy), np.uint8)
                motion = camera.estimate(previous, current)
                _require_contract(camera, motion)
                require(motion.found, camera, f"a shift by {dx, dy} is found")
                allowed = 0.05 if gain == 1 and not (dx or dy) else 0.15 + min(shape[:2]) / 2000
                error = _error(motion, _shift(dx, dy), shape)
                require(error < allowed, camera, f"a shift by {dx, dy} is exact, not {error:.2f} px off")


def _check_guess(camera: CameraMotion) -> None:
    """A guess is where the search begins, and what is answered where nothing is found."""
    shape = (120, 160)
    world, guess = _world(shape), _shift(33, -30)
    motion = camera.estimate(_seen(world, shape), _seen(world, shape, 35, -31), guess=guess)
    require(motion.found and _error(motion, _shift(35, -31), shape) < 0.5, camera, "it begins to search at the guess")
    far = abs(motion.surprise - np.hypot(2, 1))
    require(far < 0.2, camera, "its surprise is how far the places are from where the guess had them")
    flat = np.full(shape, 90, np.uint8)
    motion = camera.estimate(flat, flat, guess=guess)
    _require_contract(camera, motion)
    require(np.array_equal(motion.transform, guess), camera, "where nothing is found, it is the guess that is answered")
    motion.transform[:] = 7
    require(np.array_equal(guess, _shift(33, -30)), camera, "the guess is left unchanged")


def _check_exclude(camera: CameraMotion) -> None:
    """What is excluded has no say, though it fills most of the picture."""
    shape = (120, 160, 3)
    world, thing = _world(shape), _world(shape, seed=1)
    previous, current = _seen(world, shape), _seen(world, shape, 4, 3)
    exclude = np.zeros(shape[:2], bool)
    exclude[:, :100] = True
    previous[exclude], current[exclude] = _seen(thing, shape)[exclude], _seen(thing, shape, -5, 0)[exclude]
    motion = camera.estimate(previous, current, exclude=exclude)
    found = motion.found and _error(motion, _shift(4, 3), shape) < 1.0
    require(found, camera, "the motion is that of what is not excluded")


def _check_movers(camera: CameraMotion) -> None:
    """A thing that fills 40 % of the picture and moves otherwise does not drag the camera along."""
    shape = (240, 320)
    world, thing = _world(shape), _world(shape, seed=1)
    previous, current = _seen(world, shape), _seen(world, shape, -3, 2)
    previous[:, 192:] = _seen(thing, shape)[:, 192:]
    current[:, 192:] = _seen(thing, shape, 6, 1)[:, 192:]
    to_world = np.linalg.inv(_shift(-3, 2)) @ camera.estimate(previous, current).transform
    error = displacement(to_world, (240, 192))
    require(error < 0.2, camera, f"the world's motion is found, not {error:.2f} px off")


def _check_degenerate(camera: CameraMotion) -> None:
    """Frames without texture, and frames that have nothing in common, are called by their names."""
    for shape in ((120, 160, 3), (300, 400), (1, 1), (3, 200)):
        flat = np.full(shape, 90, np.uint8)
        textured = _seen(_world(shape), shape)
        pairs = [(flat, flat), (flat, textured), (textured, flat)] if min(shape[:2]) > 9 else [(flat, textured)]
        for previous, current in pairs:
            motion = camera.estimate(previous, current)
            _require_contract(camera, motion)
            still = np.array_equal(motion.transform, np.eye(3))
            require(motion.verdict == "textureless" and still, camera, "without texture: the identity, and it says so")
    shape = (120, 160, 3)
    motion = camera.estimate(_seen(_world(shape), shape), _seen(_world(shape, seed=1), shape))
    _require_contract(camera, motion)
    require(motion.verdict == "shot_change", camera, "a change of shot is called by its name")


def _check_manners(camera: CameraMotion) -> None:
    """It answers the same whenever and wherever it is asked, of any memory layout, and changes nothing."""
    shape = (120, 160, 3)
    world = _world(shape)
    previous, current = _seen(world, shape), _seen(world, shape, 3, 5)
    lent = previous.copy(), current.copy()
    expected = camera.estimate(*lent)
    unchanged = np.array_equal(lent[0], previous) and np.array_equal(lent[1], current)
    require(unchanged, camera, "frames are left unchanged")
    camera.estimate(current, _seen(_world(shape, seed=2), shape))
    answers = [camera.estimate(previous, current), camera.clone().estimate(previous, current)]
    answers.append(camera.estimate(np.asfortranarray(previous), current[::-1].copy()[::-1]))
    worker = threading.Thread(target=lambda: answers.append(camera.estimate(previous, current)))
    worker.start()
    worker.join()
    same = [np.array_equal(expected.transform, a.transform) and expected.support == a.support for a in answers]
    require(len(same) == 4 and all(same), camera, "equal frames give equal answers, always")


def _check_bad_input(camera: CameraMotion) -> None:
    """Bad frames, masks and guesses are refused with the right error."""
    good = _seen(_world((60, 80)), (60, 80))
    for bad in (good.astype(np.float32), good[:-1], good[None], good[:, :0], good.tolist(), None):
        require(raises(FrameError, camera.estimate, good, bad), camera, "a bad frame raises FrameError")
    for bad in (np.zeros((2, 2), bool), np.zeros(good.shape, np.uint8)):
        require(raises(FrameError, camera.estimate, good, good, exclude=bad), camera, "a bad mask raises FrameError")
    for bad in (np.zeros((3, 3)), np.full((3, 3), np.nan), np.eye(2), "no matrix"):
        refused = raises(ParameterError, camera.estimate, good, good, guess=bad)
        require(refused, camera, f"the guess {bad!r} raises ParameterError")


CAMERA_CHECKS: tuple[Callable[[CameraMotion], None], ...] = (
    check_parameters,
    _check_shifts,
    _check_guess,
    _check_exclude,
    _check_movers,
    _check_degenerate,
    _check_manners,
    _check_bad_input,
)
"""The promises of estimators of camera motion."""
