"""Any camera: what all models promise."""

import cv2
import numpy as np
import pytest
from auto_films import (
    CAMERAS,
    OTHER,
    REST,
    SHAPE,
    STOPS,
    WAYS_OF_CAMERAS,
    WORLD,
    assert_masks_of,
    assert_same,
    film,
    noisy,
    overlap,
    panned,
    resting,
    run,
    seen,
    shaken,
    turned,
)

import motionseg
from motionseg.background import RunningAverage
from motionseg.core import parallel
from motionseg.core.errors import ParameterError, StateError, UnsupportedError
from motionseg.pipeline.auto import Auto
from motionseg.testing import BACKGROUND_CHECKS

# --- promises of models --------------------------------------------------------------------------------

CHECKS = {check.__name__.partition("check_")[2]: check for check in BACKGROUND_CHECKS}
SLOW = ("mask_contract", "memory_layouts", "state_round_trip", "bootstrap", "threads", "interleaved")
QUICK = ("cv2_names", "bad_input_refused", "restart", "warp", "parameters")


@pytest.mark.parametrize("name", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_it_is_a_model(name):
    CHECKS[name](Auto())


@pytest.mark.parametrize("camera", CAMERAS)
def test_nothing_is_learned_at_rate_0(camera):
    frames = film(WAYS_OF_CAMERAS[camera], first=3)[0]
    stranger = noisy(seen(OTHER, *REST), 1)
    stranger[50:, :50] = 0
    model, undisturbed = Auto(), Auto()
    assert not model.apply(frames[0], learning_rate=0).any()
    assert model.state()["frames_seen"] == 0
    for i, frame in enumerate(frames):
        if i % 3 == 0:
            before = model.state()
            words = model.behaviour, model.way
            for look in (stranger, frame):
                mask = model.apply(look, learning_rate=0)
                assert i == 0 or np.array_equal(mask == 255, model.score() >= 0.5)
                assert_same(model.state(), before)
                assert (model.behaviour, model.way) == words
            model.apply(stranger, learning_rate=0)
        np.testing.assert_array_equal(model.apply(frame), undisturbed.apply(frame))
        np.testing.assert_array_equal(model.score(), undisturbed.score())
    assert_same(model.state(), undisturbed.state())
    assert_same(model.evidence(), undisturbed.evidence())


@pytest.mark.parametrize("camera", CAMERAS)
def test_it_goes_on_from_a_state(camera, tmp_path):
    frames = film(WAYS_OF_CAMERAS[camera], first=3)[0]
    model, heirs = Auto(), []
    for i, frame in enumerate(frames):
        mask = model.apply(frame)
        for heir in heirs:
            np.testing.assert_array_equal(heir.apply(frame), mask)
            np.testing.assert_array_equal(heir.score(), model.score())
            assert (heir.behaviour, heir.way) == (model.behaviour, model.way)
            assert_same(heir.state(), model.state())
            np.testing.assert_array_equal(heir.motion, model.motion)
            assert_same(heir.evidence(), model.evidence())
        if i + 1 in STOPS[camera]:
            heir = Auto()
            heir.apply(frames[0][:50])  # of another size, and soon forgotten
            state = model.state()
            heir.load_state(state)
            for array in state.values():
                array.fill(0)
            with pytest.raises(StateError):
                heir.score()
            assert (heir.behaviour, heir.way) == (model.behaviour, model.way)
            heirs = [heir]
            if i + 1 == STOPS[camera][-1]:
                model.save(tmp_path / "model.npz")
                heirs.append(Auto.load(tmp_path / "model.npz"))
    assert len(heirs) == 2


def test_it_goes_on_from_the_state_of_a_newborn():
    model = Auto()
    for frame in film(turned(2, 4, 0))[0]:
        model.apply(frame)
    model.load_state(Auto().state())
    assert (model.behaviour, model.way, model.memory(), model.motion) == ("still", "background", 0, None)
    frames = film(resting(3), world=OTHER)[0]
    assert_masks_of(Auto(), model, [frame[:100] for frame in frames])


@pytest.mark.parametrize("n", [3, 8])
def test_a_bad_state_changes_nothing(n):
    model = Auto()
    for frame in film(turned(4, 4, 0))[0][:n]:
        model.apply(frame)
    assert model.way == ("background" if n == 3 else "flow")
    state, words = model.state(), (model.behaviour, model.way)
    for name in ("words", "believed", "learned", "watch.last", "watch.steps", "watch.words", "shape"):
        with pytest.raises(StateError):
            model.load_state({k: v for k, v in state.items() if k != name})
        if name != "shape":
            with pytest.raises(StateError):
                model.load_state({**state, name: np.zeros((3, 2), state[name].dtype)})
    inside = "background.last" if n == 3 else "flow.last"
    with pytest.raises(StateError):
        model.load_state({k: v for k, v in state.items() if k != inside})
    with pytest.raises(StateError):
        model.load_state({**state, "words": np.array([9, 9])})
    assert_same(model.state(), state)
    assert (model.behaviour, model.way) == words


@pytest.mark.parametrize("n", [5, 9])
def test_after_a_reset_it_is_as_new(n):
    model = Auto()
    for frame in film(turned(6, 8, 0))[0][:n]:
        model.apply(frame[:100])
    model.reset()
    assert (model.behaviour, model.way, model.evidence(), model.motion) == ("still", "background", {}, None)
    for ask in (model.score, model.background):
        with pytest.raises(StateError):
            ask()
    assert_masks_of(Auto(), model, film(turned(3, 5, 0))[0])


def test_known_foreground_is_reported_and_not_learned():
    known = np.zeros(SHAPE, bool)
    known[100:115, 5:45] = True
    frames = film(turned(10, 8, 0), first=99)[0]
    model = Auto()
    for i, frame in enumerate(frames):
        shown = frame.copy()
        if i >= 2:
            shown[known] = 255
        mask = model.apply(shown, known_foreground=known if i >= 2 else None)
        if i >= 2:
            assert (mask[known] == 255).all()
            assert (model.score()[known] == 1).all()
        if i == 9:
            assert np.abs(model.background()[known] - seen(WORLD, *REST)[known]).mean() < 5
            looked = model.apply(shown, learning_rate=0, known_foreground=known)
            assert (looked[known] == 255).all()
    assert model.way == "flow"
    assert not model._known
    assert (model.apply(frames[-1])[known] == 255).mean() < 1


def test_bad_parts_are_refused():
    for part, kind in (("fixed", "Compensated"), ("moving", "FlowFused"), ("camera", "CameraMotion")):
        with pytest.raises(ParameterError, match=f"{part} is a {kind}, not"):
            Auto(**{part: RunningAverage()})
    with pytest.raises(UnsupportedError):
        Auto().apply(film(resting(1))[0][0], learning_rate=0.5)


def test_frames_are_neither_changed_nor_kept():
    careful, rude = Auto(), Auto()
    for frame in film(turned(5, 4, 0), first=3)[0]:
        lent = frame.copy()
        expected, mask = careful.apply(frame), rude.apply(lent)
        np.testing.assert_array_equal(lent, frame)
        np.testing.assert_array_equal(mask, expected)
        for share in rude.evidence().values():
            share.fill(9)
        lent[:], mask[:], rude.score()[:] = 0, 93, 0.25


def test_grey_frames():
    frames, truths = film(turned(8, 5, 0), first=4)
    masks, words = run(Auto(), [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames])
    assert words[-1] == ("panning", "flow")
    assert min(overlap(mask, truth) for mask, truth in zip(masks[4:], truths[4:], strict=True)) > 0.6


def test_any_number_of_threads_gives_the_same(monkeypatch):
    monkeypatch.setattr(parallel, "_MIN_PIXELS_PER_STRIP", 1)
    frames, results = film([*shaken(4), *panned(4)], first=3)[0], []
    for n in (1, 3):
        motionseg.set_num_threads(n)
        cv2.setRNGSeed(n)
        model = Auto()
        masks = run(model, frames)[0]
        results.append({"masks": np.stack(masks), "score": model.score(), **model.state(), **model.evidence()})
    assert_same(results[0], results[1])


# --- models made of others, in files -----------------------------------------------------------------------
