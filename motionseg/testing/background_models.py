"""Conformance checks of background models: what all of them promise."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from motionseg.background.base import BackgroundModel
from motionseg.core import parallel
from motionseg.core.errors import FrameError, ParameterError, StateError, UnsupportedError
from motionseg.core.types import FOREGROUND, SHADOW, Frame
from motionseg.testing._common import check_parameters, raises, require, same_arrays
from motionseg.testing._films import SHAPE, block, can, play, require_same, scene
from motionseg.testing._fresh_starts import check_bootstrap, check_restart, check_warp
from motionseg.testing._guarded_models import check_ghosts, check_light, check_shadows

__all__ = ["BACKGROUND_CHECKS", "check_background_model"]


def check_background_model(model: BackgroundModel) -> None:
    """Run every check of `BACKGROUND_CHECKS` on clones of `model`.

    Raises
    ------
    AssertionError
        The first check that fails, with what was expected.

    Examples
    --------
    >>> from motionseg.background import RunningAverage
    >>> check_background_model(RunningAverage())
    """
    for check in BACKGROUND_CHECKS:
        check(model)


def _check_mask_contract(model: BackgroundModel) -> None:
    """Masks, scores and backgrounds have the promised dtypes, shapes and values, and show what moves."""
    for shape in (SHAPE, SHAPE[:2], (33, 47, 3)):
        model = model.clone()
        frames = scene(150, shape, block_from=140)  # GMG learns 120 frames before it says anything
        for i, frame in enumerate(frames):
            mask = model.apply(frame)
            score = model.score()
            if i == 140:
                found = np.mean(mask[block(shape, i)] == FOREGROUND)
            require(mask.dtype == np.uint8 and mask.shape == shape[:2], model, "a mask is uint8 (H, W)")
            require(mask.flags.c_contiguous and mask.flags.writeable, model, "a mask is contiguous and the caller's")
            require(np.isin(mask, (0, SHADOW, FOREGROUND)).all(), model, "a mask holds 0, 127 and 255 only")
            require(score.dtype == np.float32 and score.shape == shape[:2], model, "a score is float32 (H, W)")
            require((score >= 0).all() and (score <= 1).all(), model, "a score is in [0, 1]")
            require(
                np.array_equal(score >= 0.5, mask == FOREGROUND), model, "a score is at least 0.5 where the mask is 255"
            )
        trail = np.zeros(shape[:2], bool)
        for i in range(140, 150):
            trail[block(shape, i)] = True
        require(found > 0.5, model, "a new, contrasting object is found")
        require(np.mean(mask[~trail] == FOREGROUND) < 0.1, model, "a learned wall is background")
        if can(model, "background"):
            picture = model.background()
            require(picture.dtype == np.uint8 and picture.shape == shape, model, "a background is like a frame")
            distance = np.abs(picture[~trail].astype(float) - frames[0][~trail]).mean()
            require(distance < 10, model, "the background shows the wall")
        else:
            require(raises(UnsupportedError, model.background), model, "background() raises UnsupportedError")


def _check_cv2_names(model: BackgroundModel) -> None:
    """The model drops into code that was written for cv2's subtractors."""
    frames, ours, theirs = scene(20), model.clone(), model.clone()
    out = np.full(SHAPE[:2], 7, np.uint8)
    for frame in frames:
        a, b = ours.apply(frame), theirs.apply(frame, out, -1)
        require(np.array_equal(b, out), model, "apply(frame, fgmask) writes the mask into fgmask")
        if can(model, "determinism"):
            require(np.array_equal(a, b), model, "learningRate=-1 is the automatic rate")
    if can(model, "background"):
        require(np.array_equal(theirs.getBackgroundImage(), theirs.background()), model, "getBackgroundImage is there")


def _check_input_left_alone(model: BackgroundModel) -> None:
    """Frames are neither changed nor kept; what is returned is the caller's."""
    frames, careful, rude = scene(30), model.clone(), model.clone()
    expected, answers = play(careful, frames), []
    for frame in frames:
        lent = frame.copy()
        mask, score = rude.apply(lent), rude.score()
        require(np.array_equal(lent, frame), model, "apply() leaves the frame unchanged")
        answers.append((mask.copy(), score.copy()))
        lent[:], mask[:], score[:] = 0, 93, 0.25
        if can(model, "background"):
            rude.background()[:] = 17
        if can(model, "state"):
            for array in rude.state().values():
                array.fill(1)
    require_same(model, expected, answers, "frames are not kept, and masks, scores, backgrounds, states are copies")


def _check_freeze(model: BackgroundModel) -> None:
    """``learning_rate=0`` classifies and changes nothing at all."""
    model, plain, frames = model.clone(), model.clone(), scene(40)
    other = scene(3, seed=5, block_from=0)
    expected = play(plain, frames)
    answers = play(model, frames[:25])
    before = model.state() if can(model, "state") else {}
    if not can(model, "freeze"):
        require(raises(UnsupportedError, model.apply, other[0], learning_rate=0), model, "learning_rate=0 is refused")
    else:
        for frame in other:
            mask = model.apply(frame, learning_rate=0)
        require((mask == FOREGROUND).any(), model, "a frozen model still sees what is new")
        if can(model, "state"):
            require(same_arrays(before, model.state()), model, "learning_rate=0 leaves the state as it is")
    require_same(model, expected, answers + play(model, frames[25:]), "learning_rate=0 leaves no trace")
    if can(model, "freeze"):
        unborn = model.clone()
        require(not unborn.apply(frames[0], learning_rate=0).any(), model, "an unborn model, frozen, sees nothing")
        require_same(model, expected, play(unborn, frames), "a first frame with learning_rate=0 leaves no trace")


def _check_known_foreground(model: BackgroundModel) -> None:
    """Known foreground is reported, and not learned."""
    model, frames = model.clone(), scene(80, block_from=99)
    play(model, frames[:30])
    known = np.zeros(SHAPE[:2], bool)
    known[10:30, 20:40] = True
    if not can(model, "known_foreground"):
        refused = raises(UnsupportedError, model.apply, frames[30], known_foreground=known)
        require(refused, model, "known_foreground is refused with UnsupportedError")
        return
    for frame in frames[30:60]:
        frame[known] = (250, 200, 240)
        mask = model.apply(frame, known_foreground=known)
        require((mask[known] == FOREGROUND).all(), model, "known foreground is 255")
        require((model.score()[known] == 1).all(), model, "known foreground has score 1")
    mask = model.apply(frames[60])
    require(np.mean(mask[known] == FOREGROUND) < 0.1, model, "known foreground was not learned")
    require(np.mean(mask[~known] == FOREGROUND) < 0.1, model, "what lies beside known foreground was learned")


def _check_state_round_trip(model: BackgroundModel) -> None:
    """A state, taken in mid-stream, continues bit for bit in another object, and bad ones are refused."""
    model, frames = model.clone(), scene(60)
    if not can(model, "state"):
        play(model, frames[:2])
        require(raises(UnsupportedError, model.state), model, "state() raises UnsupportedError")
        require(raises(UnsupportedError, model.load_state, {}), model, "load_state() raises UnsupportedError")
        return
    for n in (0, 1, 37):
        model.reset()
        play(model, frames[:n])
        state = model.state()
        heir = model.clone()
        heir.load_state(state)
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model.npz")
            reader = type(model).load(Path(folder) / "model.npz")
        expected = play(model, frames[n:])
        for other, way in ((heir, "load_state()"), (reader, "load()")):
            require_same(model, expected, play(other, frames[n:]), f"it continues bit for bit after {way}")
            require(same_arrays(model.state(), other.state()), model, f"states stay equal after {way}")
    state = model.state()
    for name in state:
        broken = {k: v for k, v in state.items() if k != name}
        require(raises(StateError, model.load_state, broken), model, f"a state without {name!r} is refused")
    for name in state.keys() - {"shape", "frames_seen"}:
        broken = {**state, name: np.zeros((3, *state[name].shape), state[name].dtype)}
        require(raises(StateError, model.load_state, broken), model, f"{name!r} of another shape is refused")
    require(same_arrays(state, model.state()), model, "a refused state changes nothing")


def _check_same_seed(model: BackgroundModel) -> None:
    """Equal parameters and frames give equal answers."""
    frames = scene(40)
    answers = [play(model.clone(), frames) for _ in range(2)]
    require_same(model, *answers, "the same parameters and frames give the same masks and scores")


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """Kernels run on `n` threads, small frames too."""
    before, smallest = parallel.get_num_threads(), parallel._MIN_PIXELS_PER_STRIP
    parallel.set_num_threads(n)
    parallel._MIN_PIXELS_PER_STRIP = 1
    try:
        yield
    finally:
        parallel.set_num_threads(before)
        parallel._MIN_PIXELS_PER_STRIP = smallest


def _check_any_thread_count(model: BackgroundModel) -> None:
    """Answers do not depend on the number of threads."""
    frames, answers, states = scene(40, (70, 100, 3)), [], []
    for n in (1, 2, 5):
        with _threads(n):
            fresh = model.clone()
            answers.append(play(fresh, frames))
            states.append(fresh.state() if can(model, "state") else {})
    for n, other, state in zip((2, 5), answers[1:], states[1:], strict=True):
        require_same(model, answers[0], other, f"{n} threads give the same masks and scores as one")
        require(same_arrays(states[0], state), model, f"{n} threads give the same state as one")


def _check_memory_layouts(model: BackgroundModel) -> None:
    """Sliced, flipped, Fortran-ordered and read-only frames are as good as contiguous ones."""
    frames = scene(30)
    expected = play(model.clone(), frames)

    def sliced(frame: Frame) -> Frame:
        large = np.zeros((2 * frame.shape[0], 2 * frame.shape[1], 3), np.uint8)
        large[::2, ::2] = frame
        return large[::2, ::2]

    def flipped(frame: Frame) -> Frame:
        return frame[::-1, ::-1].copy()[::-1, ::-1]

    def read_only(frame: Frame) -> Frame:
        frame = frame.copy()
        frame.flags.writeable = False
        return frame

    for layout in (sliced, flipped, np.asfortranarray, read_only):
        try:
            answers = play(model.clone(), [layout(frame) for frame in frames])
        except Exception as error:
            raise AssertionError(
                f"{type(model).__name__}: {layout.__name__} frames are taken, not {error!r}"
            ) from error
        require_same(model, expected, answers, f"{layout.__name__} frames give the same answers")


def _check_reset(model: BackgroundModel) -> None:
    """After ``reset()`` a model is as good as new, for frames of any size."""
    model, frames = model.clone(), scene(30)
    require(raises(StateError, model.score), model, "score() before the first frame raises StateError")
    expected = play(model, frames)
    for shape in ((40, 30), SHAPE):
        model.reset()
        require(raises(StateError, model.score), model, "score() after reset() raises StateError")
        answers = play(model, scene(30, shape))
    require_same(model, expected, answers, "after reset() it is as good as new")


def _check_interleaved(model: BackgroundModel) -> None:
    """Two objects are two cameras: they know nothing of each other."""
    streams = [scene(30, seed=seed) for seed in (1, 2)]
    alone = [play(model.clone(), frames) for frames in streams]
    objects, together = [model.clone(), model.clone()], ([], [])
    for pair in zip(*streams, strict=True):
        for one, frame, answers in zip(objects, pair, together, strict=True):
            answers.append((one.apply(frame), one.score()))
    for expected, answers in zip(alone, together, strict=True):
        require_same(model, expected, answers, "interleaved with another object it gives the same answers as alone")


def _check_bad_input_refused(model: BackgroundModel) -> None:
    """Bad frames and rates are refused with the right error, and change nothing."""
    plain, model, frames = model.clone(), model.clone(), scene(30)
    good = frames[0]
    bad: list[tuple[type[Exception], Any, dict[str, Any]]] = [
        (FrameError, good.astype(np.float32), {}),
        (FrameError, good[:-1], {}),
        (FrameError, good[:, :, 0], {}),
        (FrameError, np.zeros((*good.shape[:2], 4), np.uint8), {}),
        (FrameError, np.zeros((0, 5, 3), np.uint8), {}),
        (FrameError, good.tolist(), {}),
        (FrameError, None, {}),
        (ParameterError, good, {"learning_rate": 1.5}),
        (ParameterError, good, {"learning_rate": float("nan")}),
    ]
    if can(model, "known_foreground"):
        bad.append((FrameError, good, {"known_foreground": np.zeros((2, 2), bool)}))
        bad.append((FrameError, good, {"known_foreground": np.zeros(good.shape[:2], np.uint8)}))
    expected, answers = play(plain, frames), play(model, frames[:15])
    before = model.state() if can(model, "state") else {}
    for error, frame, arguments in bad:
        what = f"{getattr(frame, 'dtype', type(frame).__name__)} {getattr(frame, 'shape', '')} {arguments or ''}"
        require(raises(error, model.apply, frame, **arguments), model, f"{what} raises {error.__name__}")
    if can(model, "state"):
        require(same_arrays(before, model.state()), model, "a refused frame leaves the state unchanged")
    require_same(model, expected, answers + play(model, frames[15:]), "a refused frame leaves no trace")


def _resident() -> int:
    """Bytes of memory of this process, 0 where the system does not say."""
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * int(os.sysconf("SC_PAGE_SIZE"))
    return 0


def _check_memory_bounded(model: BackgroundModel) -> None:
    """Memory does not grow with the number of frames: 2,000 of them."""
    model, frames = model.clone(), scene(50)
    for i in range(200):
        model.apply(frames[i % 50])
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        gc.collect()
        native, python = _resident(), None
        for i in range(200, 2000):
            model.apply(frames[i % 50])
            if i == 250:  # what is allocated once in a while has been traced by now
                python = tracemalloc.get_traced_memory()[0]
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - (python or 0)
    finally:
        if not tracing:
            tracemalloc.stop()
    require(growth < 200_000, model, f"memory is bounded, but 1,750 frames left {growth} bytes")
    grown = _resident() - native
    require(grown < 12_000_000, model, f"memory is bounded, but the process grew by {grown} bytes")


def _check_threads(model: BackgroundModel) -> None:
    """A model works on a thread of its own, and two of them at once on two."""
    streams = [scene(30, seed=seed) for seed in (1, 2)]
    expected = [play(model.clone(), frames) for frames in streams]
    answers: list[Any] = [None, None]
    models = [model.clone(), model.clone()]  # made here, used there

    def work(i: int) -> None:
        try:
            answers[i] = play(models[i], streams[i])
        except BaseException as error:
            answers[i] = error

    workers = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for result, answer in zip(expected, answers, strict=True):
        require(isinstance(answer, list), model, f"it works on a thread, but raised {answer!r}")
        require_same(model, result, answer, "on a thread it gives the same answers")


BACKGROUND_CHECKS: tuple[Callable[[BackgroundModel], None], ...] = (
    _check_mask_contract,
    _check_cv2_names,
    check_parameters,
    _check_input_left_alone,
    _check_freeze,
    _check_known_foreground,
    _check_state_round_trip,
    _check_same_seed,
    _check_any_thread_count,
    _check_memory_layouts,
    _check_reset,
    _check_interleaved,
    _check_bad_input_refused,
    _check_memory_bounded,
    _check_threads,
    check_restart,
    check_warp,
    check_bootstrap,
    check_light,
    check_ghosts,
    check_shadows,
)
"""The promises of background models, in the order in which they are best mended."""
