"""Guarded bears light, shadows, ghosts and a moved camera, at full and half size, and is a model like the others."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import motionseg
from motionseg.background import (
    Adaptive,
    Guarded,
    OpenCVGMG,
    OpenCVMOG2,
    RunningAverage,
    RunningGaussian,
    SigmaDelta,
)
from motionseg.background._upsampling import halve, upsample
from motionseg.core.errors import FrameError, ParameterError, StateError, UnsupportedError
from motionseg.datasets import SBI2015
from motionseg.metrics.change import ChangeCounts, count_change

SHAPE = (61, 83, 3)  # odd: half of it is rounded up
BOX = (slice(20, 40), slice(30, 54))
PINK = (250, 60, 220)
ON, OFF = 1.0, 0.55


def wall(seed=0, shape=SHAPE):
    coarse = np.random.default_rng(seed).integers(60, 150, (-(-shape[0] // 5), -(-shape[1] // 5), *shape[2:]))
    return coarse.repeat(5, axis=0).repeat(5, axis=1)[: shape[0], : shape[1]].astype(float)


def film(n, *, box=lambda i: None, light=lambda i: ON, seed=0):
    rng, empty, frames = np.random.default_rng(seed), wall(), []
    for i in range(n):
        frame = empty.copy()
        if box(i):
            frame[box(i)] = PINK
        frames.append((light(i) * frame + rng.normal(0, 2, SHAPE)).clip(0, 255).astype(np.uint8))
    return frames


def walker(i):
    return (BOX[0], slice(i % 50, i % 50 + 24)) if i >= 20 else None


def play(model, frames, **arguments):
    for frame in frames:
        mask = model.apply(frame, **arguments)
    return mask


def same_states(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


LIVELY = film(56, box=walker, light=lambda i: OFF if i >= 30 else ON)
"""A walker, and when he is half way, the light goes out."""


# --- what it is for ---------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("model", [RunningGaussian(), Adaptive()])
def test_a_switched_light_and_a_walker(model, scale):
    guarded = Guarded(model, scale=scale)
    play(guarded, LIVELY[:30])
    assert guarded.verdict == "none"
    for i in range(30, 50):
        mask = guarded.apply(LIVELY[i])
        assert guarded.verdict == ("switch" if i < 40 else "gradual")
        assert np.mean(mask[walker(i)] == 255) > 0.8
        assert np.mean(mask == 255) < 0.2
    assert np.mean(play(model.clone(), LIVELY[:50]) == 255) > 0.3


@pytest.mark.parametrize("scale", [1, 2])
def test_what_left_is_forgotten_and_what_came_is_not(scale):
    guarded = Guarded(RunningGaussian(learning_rate=0.001), scale=scale)
    play(guarded, film(30, box=lambda i: BOX))
    mask = play(guarded, film(14))
    assert (mask[BOX] == 255).mean() > 0.9
    assert guarded.kinds == ["ghost"]
    mask = play(guarded, film(11))
    assert not mask.any()
    assert np.abs(guarded.background()[BOX] - wall()[BOX]).mean() < 10
    settled = guarded.state()["ghosts.settled"]
    assert settled.min() < 12  # it has begun anew there
    assert settled.max() == 55
    mask = play(guarded, film(40, box=lambda i: BOX))
    assert (mask[BOX] == 255).mean() > 0.9
    assert guarded.kinds == ["stopped"]
    assert guarded.labels.max() == 1
    assert guarded.labels.shape == halve(LIVELY[0]).shape[:2] if scale == 2 else SHAPE[:2]


@pytest.mark.parametrize("scale", [1, 2])
def test_shadows_are_labelled_for_a_model_that_knows_none(scale):
    guarded, shade = Guarded(RunningGaussian(), scale=scale), (slice(12, 42), slice(10, 38))
    play(guarded, film(30))
    frame = film(31)[30]
    frame[shade] = 0.6 * frame[shade]
    mask = guarded.apply(frame)
    assert (mask[shade] == 127).mean() > 0.85
    unlabelled = Guarded(RunningGaussian(), shadows=False, scale=scale)
    play(unlabelled, film(30))
    assert (unlabelled.apply(frame)[shade] == 255).mean() > 0.85


def test_without_all_it_is_the_model():
    plain = Adaptive()
    guarded = Guarded(plain, shadows=False, illumination=False, ghosts=False)
    for frame in LIVELY[:35]:
        np.testing.assert_array_equal(guarded.apply(frame), plain.apply(frame))
        np.testing.assert_array_equal(guarded.score(), plain.score())
    np.testing.assert_array_equal(guarded.background(), plain.background())
    assert guarded.verdict == "none"


@pytest.mark.parametrize("scale", [1, 2])
def test_mask_and_score_agree(scale):
    guarded, shadows = Guarded(SigmaDelta(), scale=scale), 0
    for i, frame in enumerate(LIVELY):
        shaded = frame.copy()
        shaded[45:, i : i + 30] = 0.6 * shaded[45:, i : i + 30]
        mask, score = guarded.apply(shaded), guarded.score()
        np.testing.assert_array_equal(mask == 255, score >= 0.5)
        assert score.min() >= 0
        assert score.max() <= 1
        shadows += (mask == 127).sum()
    assert shadows > 100


# --- a camera that looks elsewhere ------------------------------------------------------------


@pytest.mark.parametrize("what", ["camera_moved", "camera_covered", "blurred"])
def test_nothing_is_learned_while_the_camera_looks_away(what):
    guarded = Guarded(RunningAverage(learning_rate=0.2))
    play(guarded, film(30))
    before = guarded.background()
    away = {
        "camera_moved": wall(7),
        "camera_covered": np.full(SHAPE, 20.0),
        "blurred": cv2.GaussianBlur(wall(), (0, 0), 2.5),
    }[what]
    for frame in film(20):
        guarded.apply((away + (frame - wall())).clip(0, 255).astype(np.uint8))
        assert guarded.verdict == what
    assert np.abs(guarded.background().astype(int) - before).max() == 0
    assert not play(guarded, film(1)).any()
    assert guarded.verdict == "none"


def test_a_camera_that_was_moved_for_good_starts_anew():
    guarded = Guarded(RunningAverage(learning_rate=0.01))
    play(guarded, film(30))
    elsewhere = [(wall(7) + (frame - wall())).clip(0, 255).astype(np.uint8) for frame in film(40)]
    found = [np.mean(guarded.apply(frame) == 255) for frame in elsewhere]
    assert min(found[:24]) > 0.3
    assert max(found[27:]) < 0.01
    assert guarded.verdict == "none"
    assert np.abs(guarded.background() - wall(7)).mean() < 5


def test_a_camera_that_is_covered_for_good_is_learned():
    guarded = Guarded(RunningAverage(learning_rate=0.2))
    play(guarded, film(30))
    before = guarded.background()
    play(guarded, [np.full(SHAPE, 20, np.uint8)] * 1000)
    np.testing.assert_array_equal(guarded.background(), before)  # it may see again
    mask = play(guarded, [np.full(SHAPE, 20, np.uint8)] * 600)
    assert not mask.any()
    assert guarded.background().max() < 30


# --- half size ----------------------------------------------------------------------------------


def test_outlines_at_half_size_are_those_of_the_frame():
    guarded, full = Guarded(RunningGaussian(), scale=2), Guarded(RunningGaussian())
    for model in (guarded, full):
        play(model, film(30))
    there, overlap = (slice(21, 48), slice(33, 58)), {}
    frame = film(1, box=lambda i: there)[0]
    for name, mask in (("half", guarded.apply(frame)), ("full", full.apply(frame))):
        truth = np.zeros(SHAPE[:2], bool)
        truth[there] = True
        overlap[name] = ((mask == 255) & truth).sum() / ((mask == 255) | truth).sum()
    assert overlap["half"] > max(0.95, overlap["full"] - 0.02)
    assert full.memory() > 3.5 * guarded.memory()
    assert guarded.background().shape == SHAPE
    expected = cv2.resize(halve(np.uint8(wall())), (84, 62))[:61, :83].astype(int)
    assert np.abs(guarded.background() - expected).mean() < 3


@given(st.data(), st.integers(1, 9), st.integers(1, 9), st.sampled_from([(), (3,)]))
def test_upsampling_is_its_twin(data, height, width, channels):
    levels = st.integers(90, 150) | st.integers(0, 255)
    frame = data.draw(arrays(np.uint8, (height, width, *channels), elements=levels))
    small = halve(frame)
    assert small.shape == (-(-height // 2), -(-width // 2), *channels)
    mask = data.draw(arrays(np.uint8, small.shape[:2], elements=st.sampled_from([0, 127, 255])))
    score = np.where(mask == 255, np.float32(0.75), np.float32(0.25))
    full_mask, full_score = np.full((height, width), 9, np.uint8), np.full((height, width), -1, np.float32)
    upsample(mask, score, small, frame, full_mask, full_score)
    for y, x in np.ndindex(height, width):
        labels = mask[max(y // 2 - 1, 0) : y // 2 + 2, max(x // 2 - 1, 0) : x // 2 + 2]
        if (labels == labels[0, 0]).all():
            assert (full_mask[y, x], full_score[y, x]) == (labels[0, 0], score[y // 2, x // 2])
            continue
        weights = np.zeros(mask.shape)
        for j, i in np.ndindex(mask.shape):
            if max(abs(j - y // 2), abs(i - x // 2)) <= 2:
                away = np.square((2 * j + 0.5 - y, 2 * i + 0.5 - x)).sum()
                other = np.mean(np.square(frame[y, x].astype(float) - small[j, i]))
                weights[j, i] = np.exp(-away / 8) * (np.exp(-other / 800) + 1e-6)
        weights /= weights.sum()
        value, shadow = (weights * score).sum(), weights[mask == 127].sum()
        np.testing.assert_allclose(full_score[y, x], value, atol=1e-4)
        if min(abs(value - 0.5), abs(shadow - 0.5)) > 1e-3:
            assert full_mask[y, x] == (255 if value >= 0.5 else 127 if shadow > 0.5 else 0)


def test_a_small_pixel_is_known_with_any_of_its_four():
    guarded, pixels = Guarded(RunningAverage(), scale=2), np.zeros(SHAPE[:2], bool)
    play(guarded, LIVELY[:3])
    pixels[21, 31] = True
    frame = film(1, box=lambda i: BOX)[0]
    before = guarded.state()["model.mean"]
    guarded.restart(frame, pixels)
    changed = (guarded.state()["model.mean"] != before).any(axis=-1)
    assert np.argwhere(changed).tolist() == [[10, 15]]


# --- a model like the others ----------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [{}, {"scale": 2}, {"ghosts": False, "shadows": False}])
@pytest.mark.parametrize("moment", [3, 35, 60])
def test_it_continues_from_its_state(arguments, moment, tmp_path):
    guarded = Guarded(RunningGaussian(learning_rate=0.01), **arguments)
    frames = film(20, box=lambda i: BOX) + LIVELY[21:50] + [wall(7).astype(np.uint8)] * 30  # the camera is moved
    play(guarded, frames[:moment])
    guarded.save(tmp_path / "state.npz")
    others = [Guarded.load(tmp_path / "state.npz"), guarded.clone()]
    others[1].load_state(guarded.state())
    assert all(repr(other) == repr(guarded) for other in others)
    for frame in frames[moment:]:
        mask = guarded.apply(frame)
        for other in others:
            np.testing.assert_array_equal(other.apply(frame), mask)
            np.testing.assert_array_equal(other.score(), guarded.score())
            assert (other.verdict, other.kinds) == (guarded.verdict, guarded.kinds)
    assert all(same_states(other.state(), guarded.state()) for other in others)


def test_pixels_restart_in_the_light_that_was_learned_even_from_a_state():
    guarded, pixels = Guarded(RunningGaussian()), np.zeros(SHAPE[:2], bool)
    pixels[BOX] = True
    play(guarded, LIVELY[:45])
    other = guarded.clone()
    other.load_state(guarded.state())
    for model in (guarded, other):
        model.restart(LIVELY[45], pixels)
    assert same_states(guarded.state(), other.state())
    empty = film(1, light=lambda i: OFF)[0]
    guarded.restart(empty, pixels)
    assert np.abs(guarded.background()[BOX] - wall()[BOX]).mean() < 8  # not half as bright


def test_states_that_do_not_fit(tmp_path):
    guarded = Guarded(RunningAverage())
    play(guarded, LIVELY[:3])
    state = guarded.state()
    for key in ("picture", "model.shape", "light.gain", "ghosts.still", "frames_seen"):
        with pytest.raises(StateError):
            guarded.load_state({name: array for name, array in state.items() if name != key})
        assert same_states(guarded.state(), state)
    RunningAverage().save(tmp_path / "other.npz")
    with pytest.raises(StateError, match="RunningAverage"):
        Guarded.load(tmp_path / "other.npz")

    class Own(RunningAverage):
        pass

    with pytest.raises(StateError, match="Own"):
        Guarded(Own()).save(tmp_path / "own.npz")


@pytest.mark.parametrize("scale", [1, 2])
def test_a_rate_of_0_changes_nothing(scale):
    guarded = Guarded(RunningGaussian(), scale=scale)
    play(guarded, film(20, box=lambda i: BOX) + film(15))
    state = guarded.state()
    away = [wall(7).astype(np.uint8)] * 30
    dark = film(12, light=lambda i: OFF)
    for frames in (film(20), dark, away):
        play(guarded, frames, learning_rate=0)
        assert same_states(guarded.state(), state)
    np.testing.assert_array_equal(guarded.apply(LIVELY[25], learning_rate=0), guarded.apply(LIVELY[25]))


def test_any_number_of_threads_finds_the_same():
    frames = [cv2.resize(frame, (400, 300)) for frame in LIVELY[20:40]]
    found = []
    for n in (1, 2, 3):
        motionseg.set_num_threads(n)
        guarded = Guarded(RunningGaussian(), scale=2)
        found.append({**{"mask": play(guarded, frames)}, "score": guarded.score(), **guarded.state()})
    assert found[0]["mask"].any()
    assert same_states(found[0], found[1])
    assert same_states(found[0], found[2])


@pytest.mark.parametrize("scale", [1, 2])
def test_known_foreground_is_reported_and_not_learned(scale):
    guarded, known = Guarded(RunningAverage(learning_rate=0.1), scale=scale), np.zeros(SHAPE[:2], bool)
    known[BOX] = True
    play(guarded, film(30))
    before = guarded.background()
    frame = film(1, box=lambda i: BOX)[0]
    for _ in range(30):
        mask = guarded.apply(frame, known_foreground=known)
        assert (mask[known] == 255).all()
        assert (guarded.score()[known] == 1).all()
    inner = (slice(22, 38), slice(32, 52))
    assert np.abs(guarded.background()[inner].astype(int) - before[inner]).max() <= 1
    assert not play(guarded, film(1))[inner].any()
    guarded = Guarded(RunningAverage(learning_rate=0.001), scale=scale)  # even where it would be a ghost
    play(guarded, film(30, box=lambda i: BOX))
    play(guarded, film(40), known_foreground=known)
    assert np.abs(guarded.background()[inner].astype(int) - PINK).max() < 30


@pytest.mark.parametrize("scale", [1, 2])
def test_many_frames_at_once(scale):
    guarded = Guarded(RunningGaussian(), scale=scale)
    everywhere = film(60, box=lambda i: (BOX[0], slice(i, i + 24)))
    assert guarded.bootstrap(everywhere) is guarded
    assert guarded.verdict == "none"
    empty = guarded.background()
    assert np.abs(empty - cv2.blur(wall(), (1, 1))).mean() < (4 if scale == 1 else 8)
    mask = guarded.apply(everywhere[5])
    assert (mask[BOX[0], 5:29] == 255).mean() > 0.95
    assert np.mean(mask == 255) < 0.12
    state = guarded.state()
    with pytest.raises(FrameError):
        guarded.bootstrap([])
    assert same_states(guarded.state(), state)


@pytest.mark.parametrize(("scale", "dx"), [(1, 7), (2, 8)])
def test_it_follows_a_camera_in_another_light(scale, dx):
    guarded = Guarded(RunningGaussian(), scale=scale)
    play(guarded, LIVELY[:15] + film(15, light=lambda i: OFF))
    assert guarded.verdict in ("gradual", "switch")
    state = guarded.state()
    assert not guarded.warp(np.eye(3), LIVELY[45]).any()
    assert same_states(guarded.state(), state)
    before = guarded.background()
    dark = film(1, light=lambda i: OFF)[0]
    shown = np.roll(dark, dx, axis=1)
    shown[:, :dx] = OFF * 100
    outside = guarded.warp(np.array([[1, 0, dx], [0, 1, 0], [0, 0, 1.0]]), shown)
    np.testing.assert_array_equal(outside, np.broadcast_to(np.arange(SHAPE[1]) < dx, SHAPE[:2]))
    after = guarded.background().astype(int)
    assert np.abs(after[:, dx + 2 : -2] - before[:, 2 : -dx - 2]).max() <= 1
    assert abs(after[:, : dx - 3].mean() - 100) < 20  # started in the light of the background
    mask = guarded.apply(shown)
    assert guarded.verdict in ("gradual", "switch")
    assert np.mean(mask == 255) < 0.02
    for bad, error in ((np.zeros((3, 3)), ParameterError), ("no matrix", ParameterError)):
        with pytest.raises(error):
            guarded.warp(bad, shown)
    with pytest.raises(FrameError):
        guarded.warp(np.eye(3), shown[1:])


@pytest.mark.parametrize("scale", [1, 2])
def test_ghosts_move_with_the_camera(scale):
    guarded, shift = Guarded(RunningGaussian(learning_rate=0.001), scale=scale), np.array(np.eye(3))
    play(guarded, film(30, box=lambda i: BOX))
    play(guarded, film(13))
    shift[0, 2] = 8
    moved = [np.roll(frame, 8, axis=1) for frame in film(7)]
    guarded.warp(shift, moved[0])
    mask = play(guarded, moved[:2])
    assert (mask[20:40, 40:60] == 255).mean() > 0.9
    assert not play(guarded, moved[2:])[:, 10:].any()


def test_half_size_and_zoom_agree_on_where_pixels_are():
    guarded, zoom = Guarded(RunningAverage(), scale=2), np.diag([3.0, 3.0, 1.0])
    play(guarded, LIVELY[:5])
    before = guarded.state()["model.mean"]
    guarded.warp(zoom, LIVELY[5])
    centres = (2 * np.arange(42) + 0.5) / 3  # where those of the small pixels come from
    sources = np.rint((centres - 0.5) / 2 - 1e-6).astype(int)
    np.testing.assert_array_equal(guarded.state()["model.mean"], before[sources[:31]][:, sources])


def test_reset_and_memory():
    guarded = Guarded(RunningAverage())
    assert guarded.memory() == 0
    big = np.zeros((240, 320, 3), np.uint8)
    guarded.apply(big)
    own = guarded.memory() - play_memory(big)
    assert own == 320 * 240 * (3 + 7 + 4) + 160 * 120 * 4 * 7 + 8 + 8  # picture, ghosts, labels; light; counters
    guarded.reset()
    assert guarded.memory() == 0
    assert guarded.state().keys() == {"shape", "frames_seen"}
    for ask in (lambda: guarded.labels, lambda: guarded.kinds, guarded.background, guarded.score):
        with pytest.raises(StateError):
            ask()
    with pytest.raises(StateError):
        guarded.restart(big, np.ones((240, 320), bool))
    assert not guarded.apply(LIVELY[0]).any()  # of any size


def play_memory(frame):
    model = RunningAverage()
    model.apply(frame)
    return model.memory()


def test_what_cannot_be_guarded():
    with pytest.raises(ParameterError, match="BackgroundModel"):
        Guarded("adaptive")
    for bad in ({"scale": 3}, {"shadows": "yes"}, {"ghosts": 2}, {"illumination": None}):
        with pytest.raises(ParameterError, match=next(iter(bad))):
            Guarded(RunningAverage(), **bad)
    with pytest.raises(UnsupportedError, match="OpenCVMOG2"):
        Guarded(OpenCVMOG2())
    assert not play(Guarded(OpenCVMOG2(), ghosts=False), LIVELY[:5]).any()
    with pytest.raises(UnsupportedError, match="OpenCVGMG"):
        Guarded(OpenCVGMG(), ghosts=False)


def test_parameters():
    guarded = Guarded(RunningAverage(), scale=2)
    assert guarded.params() == {
        "model": guarded.model,
        "shadows": True,
        "illumination": True,
        "ghosts": True,
        "scale": 2,
    }
    assert repr(guarded).startswith(f"Guarded(model={RunningAverage()!r}, shadows=True")
    assert guarded.clone(scale=1).scale == 1


@pytest.mark.data
def test_the_ghost_on_the_board(data_root):
    scene = SBI2015(data_root / "SBI2015")["Board"]
    plain, guarded, kinds = Adaptive(), Guarded(Adaptive()), set()
    counts = [ChangeCounts(), ChangeCounts()]
    for i in scene.judged:
        for k, model in enumerate((plain, guarded)):
            counts[k] += count_change(model.apply(scene.frames[i]), scene.truth[i])
        kinds |= set(guarded.kinds)
    assert {"ghost", "stopped", "moving"} <= kinds
    assert counts[1].precision > counts[0].precision + 0.02
    assert counts[1].f_measure > max(0.94, counts[0].f_measure)
