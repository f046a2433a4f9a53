"""Any camera: what it does is recognised, and each frame is segmented in the way that suits it."""

import sys

import cv2
import numpy as np
import pytest

import motionseg
from motionseg.background import Adaptive, RunningAverage
from motionseg.background._guarded import Guarded
from motionseg.camera import SparseCorners
from motionseg.cluster import QuadraticLayers
from motionseg.core import parallel
from motionseg.core.errors import FrameError, ParameterError, StateError, UnsupportedError
from motionseg.core.state import read_state, write_state
from motionseg.flow import OpenCVDIS
from motionseg.fuse import Appearance, MeanField
from motionseg.fuse.cues import score_cue
from motionseg.pipeline import Clustered, Compensated, FlowFused, NaiveFlow
from motionseg.pipeline._camera_watch import WINDOW, CameraWatch
from motionseg.pipeline.auto import BEHAVIOURS, WAYS, Auto
from motionseg.testing import BACKGROUND_CHECKS

SHAPE = (120, 160)
take_over = FlowFused.take_over


def texture(shape, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    coarse, fine = (cv2.GaussianBlur(noise, (0, 0), s).astype(float) - 128 for s in (6, 1.2))
    return (128 + 6 * coarse + 0.8 * fine).clip(20, 235).astype(np.float32)


WORLD, OTHER = texture((280, 480), 0), texture((280, 480), 7)
THING = texture((44, 28), 1) * np.float32([0.3, 0.5, 1.05])
REST = (40.0, 40.0)  # what the camera has at its corner


def seen(world, x, y, zoom=1.0):
    """What a frame shows of a picture whose pixel (x, y) is at its corner."""
    centre = np.array([SHAPE[1] / 2, SHAPE[0] / 2])
    shift = np.column_stack([zoom * np.eye(2), centre - zoom * np.add(centre, (x, y))])
    return cv2.warpAffine(world, shift, SHAPE[::-1], flags=cv2.INTER_CUBIC)


def noisy(picture, i):
    return (picture + np.random.default_rng(i).normal(0, 2, picture.shape)).clip(0, 255).astype(np.uint8)


def film(places, *, first=0, world=WORLD, speed=2.5):
    """Frames of a camera at these places, and where a walker is, who goes to and fro from frame `first` on."""
    frames, truths = [], []
    for i, (x, y) in enumerate(places):
        picture, truth = seen(world, x, y), np.zeros(SHAPE, bool)
        if i >= first:
            phase = speed * (i - first) % 240
            left = round(10 + (phase if phase < 120 else 240 - phase))
            truth[40:84, left : left + 28] = True
            picture[truth] = THING.reshape(-1, 3)
        frames.append(noisy(picture, i))
        truths.append(truth)
    return frames, truths


def resting(n):
    return [REST] * n


def shaken(n, size=1.5):
    return [(REST[0] + dx, REST[1] + dy) for dx, dy in np.random.default_rng(3).normal(0, size, (n, 2))]


def panned(n, step=4.0, start=REST):
    return [(start[0] + step * (k + 1), start[1]) for k in range(n)]


def turned(rest, pan, then):
    """At rest, a pan, and at rest elsewhere."""
    places = resting(rest) + panned(pan)
    return places + [places[-1]] * then


WAYS_OF_CAMERAS = {"still": resting(10), "shaking": shaken(34), "panning": turned(7, 7, 2)}
# After so many frames: while the background is learned, relied upon, taken over from, and learned again.
STOPS = {"still": (1, 8), "shaking": (2, 10, 32), "panning": (6, 8, 10, 14)}
CAMERAS = ["still", "panning", pytest.param("shaking", marks=pytest.mark.slow)]


def overlap(mask, truth):
    found = mask == 255
    return np.count_nonzero(found & truth) / max(1, np.count_nonzero(found | truth))


def wrong(mask, truth):
    return np.mean((mask == 255) & ~truth)


def run(model, frames):
    """Masks, and behaviours and ways."""
    masks, words = [], []
    for frame in frames:
        masks.append(model.apply(frame))
        words.append((model.behaviour, model.way))
        assert model.behaviour in BEHAVIOURS
        assert model.way in WAYS
    return masks, words


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


# --- what the camera does ------------------------------------------------------------------------


def watched(places, zooms=None):
    """The verdicts of a watch over these places."""
    zooms = [1.0] * len(places) if zooms is None else zooms
    frames = [noisy(seen(WORLD, *place, zoom), i) for i, (place, zoom) in enumerate(zip(places, zooms, strict=True))]
    watch = CameraWatch(SparseCorners(), frames[0])
    verdicts = [watch.verdict]
    for frame in frames[1:]:
        assert watch.update(frame)
        verdicts.append(watch.verdict)
    return verdicts


def test_a_camera_that_rests():
    assert set(watched(resting(30))) == {"still"}


def test_a_camera_that_shakes():
    assert set(watched(shaken(40, 0.7))[1:]) == {"shaking"}
    verdicts = watched(shaken(40, 1.5))  # may seem to pan at first
    assert set(verdicts[8:]) == {"shaking"}


def test_a_camera_that_pans_and_comes_to_rest():
    verdicts = watched(turned(10, 10, 40))
    assert set(verdicts[:10]) == {"still"}
    assert verdicts[10] == "shaking"  # 4 pixels may be a jolt
    assert set(verdicts[11 : 20 + WINDOW - 1]) == {"panning"}  # until the last step is forgotten
    assert set(verdicts[20 + WINDOW - 1 :]) == {"still"}


def test_a_camera_that_begins_slowly():
    steps = np.cumsum(np.linspace(0, 1, 21))  # 0.05 pixels more with each frame
    verdicts = watched([*resting(5), *((40 + s, 40) for s in steps)])
    assert verdicts[5] == "still"
    assert verdicts[-1] == "panning"
    away = [5 + i for i, s in enumerate(steps) if s > 6.5]
    assert all(verdicts[i] == "panning" for i in away)
    assert "panning" not in verdicts[: away[0] - 3]


def test_a_camera_that_returns_does_not_pan():
    rhythm = 3 * np.sin(np.arange(50) * 2 * np.pi / 12)
    verdicts = watched([(40 + s, 40) for s in rhythm])
    assert set(verdicts[18:]) == {"shaking"}


def test_zooming_is_panning():
    verdicts = watched(resting(16), [1.02**i for i in range(16)])
    assert set(verdicts[6:]) == {"panning"}


def test_large_frames_may_move_farther():
    sizes = []
    for factor in (1, 4):  # of 120 and of 480 rows: lengths grow beyond 240
        watch = None
        for i, place in enumerate(panned(6, 1.6)):
            frame = cv2.resize(noisy(seen(WORLD, *place), i), None, fx=factor, fy=factor)
            if watch is None:
                watch = CameraWatch(SparseCorners(), frame)
            else:
                assert watch.update(frame)
        sizes.append((watch.verdict, watch.step[0, 2]))
    assert [verdict for verdict, _ in sizes] == ["panning", "panning"]  # 8 pixels; 32, that count as 16
    np.testing.assert_allclose([step for _, step in sizes], [-1.6, -6.4], atol=0.3)
    watch = CameraWatch(SparseCorners(), np.zeros((480, 640, 3), np.uint8))
    for dx in (0.9, 1.1):  # counts as half of it
        watch._steps[-1][0, 2] = dx
        watch.n_frames = 2
        watch._judge((480, 640))
        assert watch.verdict == ("still" if dx < 1 else "shaking")


def test_another_shot_starts_anew():
    watch = CameraWatch(SparseCorners(), film(resting(1))[0][0])
    for frame in film(panned(8))[0]:
        watch.update(frame)
    assert watch.verdict == "panning"
    other = noisy(seen(OTHER, *REST), 1)
    assert not watch.update(other)
    assert (watch.verdict, watch.rests, watch.n_frames, watch.step) == ("still", True, 1, None)
    assert watch.update(noisy(seen(OTHER, *REST), 2))
    assert (watch.verdict, watch.n_frames) == ("still", 2)


def test_a_watch_goes_on_from_a_state():
    frames = film(turned(4, 6, 26))[0]
    watch, heir = (CameraWatch(SparseCorners(), frame) for frame in (frames[0], frames[20]))
    for frame in frames[1:8]:
        watch.update(frame)
    state = watch.state()
    heir.load_state(state)
    state["last"].fill(0)
    state["steps"].fill(0)
    for frame in frames[8:]:
        assert heir.update(frame) == watch.update(frame)
        assert (heir.verdict, heir.rests, heir.n_frames) == (watch.verdict, watch.rests, watch.n_frames)
        assert_same(heir.state(), watch.state())
    before = watch.state()
    for name, bad in (("words", np.array([1, 7, 0])), ("steps", np.eye(3)), ("last", frames[0][:9])):
        with pytest.raises((ValueError, IndexError)):
            watch.load_state({**before, name: bad})
        assert_same(watch.state(), before)


# --- each camera in its way ------------------------------------------------------------------------


def test_before_a_camera_that_rests_masks_are_those_of_the_model_inside():
    frames, truths = film(resting(60), first=10)
    auto, plain = Auto(), Compensated(Guarded(Adaptive()))
    for frame, truth in zip(frames, truths, strict=True):
        mask = auto.apply(frame)
        np.testing.assert_array_equal(mask, plain.apply(frame))
        np.testing.assert_array_equal(auto.score(), plain.score())
        assert (auto.behaviour, auto.way) == ("still", "background")
        assert overlap(mask, truth) > 0.8 or not truth.any()
    np.testing.assert_array_equal(auto.background(), plain.background())


def test_a_camera_in_a_hand():
    frames, truths = film(shaken(36), first=5)
    masks, words = run(Auto(), frames)
    assert words[0] == ("still", "background")
    assert {way for _, way in words[1:WINDOW]} == {"flow"}
    assert set(words[WINDOW + 6 :]) == {("shaking", "compensated")}
    for mask, truth in zip(masks[8:], truths[8:], strict=True):
        assert overlap(mask, truth) > 0.6
        assert wrong(mask, truth) < 0.02


def test_a_camera_that_looks_elsewhere_now_and_then():
    frames, truths = film(turned(40, 25, 60), first=10)
    masks, words = run(Auto(), frames)
    assert set(words[:40]) == {("still", "background")}
    assert set(words[42:65]) == {("panning", "flow")}
    settled = 65 + 2 * WINDOW  # it has to have come to rest, then a background is learned
    assert {way for _, way in words[65 : settled - 2]} == {"flow"}
    assert set(words[settled:]) == {("still", "background")}
    for i, (mask, truth) in enumerate(zip(masks[10:], truths[10:], strict=True), 10):
        assert overlap(mask, truth) > (0.6 if 40 <= i < 45 else 0.75), i
        assert 40 <= i < 45 or wrong(mask, truth) < 0.02, i


def test_flow_starts_from_what_the_background_knew(monkeypatch):
    taken = []
    monkeypatch.setattr(FlowFused, "take_over", lambda self, *seen: taken.append(seen) or take_over(self, *seen))
    frames = film(turned(12, 4, 0), first=5)[0]
    model = Auto()
    for frame in frames:
        lent = frame.copy()
        model.apply(lent)
        lent.fill(0)
        if model.way != "flow":
            last, score = frame, model.score()
            assert not taken
    assert len(taken) == 1
    np.testing.assert_array_equal(taken[0][0], last)
    np.testing.assert_array_equal(taken[0][1], score)
    assert score.max() > 0.5


def test_what_flow_sees_moving_is_not_taught_to_the_background(monkeypatch):
    known, apply = [], Compensated.apply

    def spied(self, frame, **how):
        known.append(how.get("known_foreground"))
        return apply(self, frame, **how)

    monkeypatch.setattr(Compensated, "apply", spied)
    frames, truths = film(shaken(10, 0.7), first=3)
    masks, words = run(Auto(), frames)
    assert set(words[1:]) == {("shaking", "flow")}
    assert len(known) == 10
    assert known[2] is None
    for kept, mask, truth in zip(known[4:], masks[4:], truths[4:], strict=True):
        np.testing.assert_array_equal(kept, mask == 255)
        assert overlap(mask, truth) > 0.6


def test_a_camera_that_travels():
    ground = texture((280, 480), 5) * np.float32([0.8, 1, 0.9])
    model = Auto()
    for i in range(20):
        picture = seen(WORLD, 40 + 1.5 * i, 40)
        picture[80:] = seen(ground, 40 + 5 * i, 40)[80:]  # the near third
        mask = model.apply(noisy(picture, i))
    assert (model.behaviour, model.way) == ("travelling", "flow")
    assert np.mean(mask == 255) < 0.02


def test_another_shot_is_a_new_start():
    model, fresh = Auto(), Auto()
    for frame in film(turned(6, 8, 0))[0]:
        model.apply(frame)
    assert model.way == "flow"
    for i, frame in enumerate(film(resting(12), first=4, world=OTHER)[0]):
        np.testing.assert_array_equal(model.apply(frame), fresh.apply(frame))
        assert (model.behaviour, model.way) == ("still", "background")
        assert (model.motion is None) == (i == 0)


def test_the_camera_is_told():
    model = Auto()
    assert model.motion is None
    frames = film(panned(4, 3))[0]
    model.apply(frames[0])
    assert model.motion is None
    for frame in frames[1:]:
        model.apply(frame)
    np.testing.assert_allclose(model.motion, [[1, 0, -3], [0, 1, 0], [0, 0, 1]], atol=0.1)
    model.motion[:] = 0
    assert model.motion[0, 0] != 0
    model.reset()
    assert model.motion is None


# --- what is known of the last frame -----------------------------------------------------------------


@pytest.mark.parametrize("camera", ["still", "panning"])
def test_reasons_and_background(camera):
    model = Auto()
    assert model.evidence() == {}
    with pytest.raises(StateError):
        model.background()
    frames = film(WAYS_OF_CAMERAS[camera][:15], first=4)[0]
    for frame in frames:
        mask = model.apply(frame)
    evidence, score = model.evidence(), model.score()
    assert score.dtype == np.float32
    np.testing.assert_array_equal(mask == 255, score >= 0.5)
    if camera == "still":
        assert evidence.keys() == {"background"}
        np.testing.assert_array_equal(evidence["background"], score_cue(score))
        clean = seen(WORLD, *REST)
        assert np.abs(model.background()[:, :8] - clean[:, :8]).mean() < 3
        return
    assert {"motion", "prior", "appearance", "neighbours"} <= evidence.keys()
    total = np.sum(list(evidence.values()), axis=0)
    np.testing.assert_allclose(1 / (1 + np.exp(-total)), score, atol=1e-4)
    with pytest.raises(UnsupportedError, match="no background"):
        model.background()


def test_memory():
    model = Auto()
    assert model.memory() == 0
    frames = film(turned(4, 4, 0))[0]
    model.apply(frames[0])
    background = Compensated(Guarded(Adaptive()))
    background.apply(frames[0])
    assert 0 < model.memory() - background.memory() <= frames[0].nbytes + SHAPE[0] * SHAPE[1] * 4 + 4096
    for frame in frames[1:]:
        model.apply(frame)
    assert model.way == "flow"
    assert (
        model._flow.memory()
        < model.memory()
        <= model._flow.memory() + frames[0].nbytes + SHAPE[0] * SHAPE[1] * 4 + 4096
    )
    model.reset()
    assert model.memory() == 0


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


def assert_masks_of(expected, model, frames):
    for frame in frames:
        np.testing.assert_array_equal(model.apply(frame), expected.apply(frame))
        np.testing.assert_array_equal(model.score(), expected.score())


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


def made_of_others():
    camera = SparseCorners(n_corners=150) if "n_corners" in SparseCorners().params() else SparseCorners()
    flow = OpenCVDIS(preset="ultrafast")
    fused = FlowFused(estimator=flow, fuser=MeanField(smoothness=0.7), appearance=Appearance(n_bins=8))
    yield Auto(fixed=Compensated(RunningAverage(), camera=camera), moving=fused, camera=camera)
    yield fused
    yield NaiveFlow(estimator=flow)
    yield Clustered(QuadraticLayers(), estimator=flow)
    yield Compensated(Guarded(RunningAverage()), camera=camera)


@pytest.mark.parametrize("model", [pytest.param(model, id=type(model).__name__) for model in made_of_others()])
def test_files_keep_all_parts(model, tmp_path):
    frames = film(turned(4, 6, 0), first=2)[0]
    for frame in frames[:7]:
        model.apply(frame)
    model.save(tmp_path / "a.npz")
    heir = type(model).load(tmp_path / "a.npz")
    assert repr(heir) == repr(model)
    assert_masks_of(model, heir, frames[7:])
    assert_same(model.state(), heir.state())
    model.reset()
    model.save(tmp_path / "a.npz")  # in place of the old one
    heir = type(model).load(tmp_path / "a.npz")
    assert repr(heir) == repr(model)
    assert heir.memory() == model.memory()
    with pytest.raises(StateError, match="holds a"):
        (NaiveFlow if type(model) is FlowFused else FlowFused).load(tmp_path / "a.npz")


class Foreign(RunningAverage):
    pass


def test_foreign_parts_are_not_saved(tmp_path):
    for model in (Compensated(Foreign()), Auto(fixed=Compensated(Foreign()))):
        with pytest.raises(StateError, match="Foreign is not of this package"):
            model.save(tmp_path / "a.npz")
        assert not list(tmp_path.iterdir())


RUNNING = "motionseg.background.running_average:RunningAverage"


@pytest.mark.parametrize(
    "made",
    [
        None,
        {},
        {"class": RUNNING},
        {"class": "os:system", "params": {}},
        {"class": "motionseg_evil:Thing", "params": {}},
        {"class": "motionseg.nowhere:Thing", "params": {}},
        {"class": "motionseg.pipeline.auto:Nothing", "params": {}},
        {"class": "motionseg.pipeline.auto:cv2", "params": {}},
        {"class": "motionseg.pipeline.auto:BEHAVIOURS", "params": {}},
        {"class": "motionseg.pipeline.auto:CameraWatch", "params": {}},
        {"class": "motionseg.background.base:BackgroundModel", "params": {}},
        {"class": RUNNING, "params": {"nonsense": 1}},
        {"class": RUNNING, "params": {"learning_rate": -3}},
        {"class": RUNNING, "params": {"learning_rate": "much"}},
        {"class": RUNNING, "params": [1]},
        {"class": 5, "params": {}},
        {"class": "motionseg.pipeline.auto:Auto", "params": {"fixed": {"class": RUNNING, "params": {}}}},
        {"class": "motionseg.pipeline.auto:Auto", "params": {"fixed": {"class": "subprocess:Popen", "params": {}}}},
    ],
)
def test_files_that_cannot_be_made_again_are_refused(made, tmp_path):
    model = Auto()
    model.save(tmp_path / "a.npz")
    arrays, head = read_state(tmp_path / "a.npz")
    write_state(tmp_path / "b.npz", arrays, {**head, "made": made})
    for cls in (Auto, Compensated):
        with pytest.raises(StateError):
            cls.load(tmp_path / "b.npz")


def test_modules_of_others_are_not_even_imported(tmp_path, monkeypatch):
    name = "stranger_of_motionseg"
    (tmp_path / f"{name}.py").write_text("from motionseg.pipeline.auto import Auto as Thing\n")
    monkeypatch.syspath_prepend(tmp_path)
    model = Auto()
    model.save(tmp_path / "a.npz")
    arrays, head = read_state(tmp_path / "a.npz")
    write_state(tmp_path / "b.npz", arrays, {**head, "made": {**head["made"], "class": f"{name}:Thing"}})
    with pytest.raises(StateError, match=f"{name} is not of this package"):
        Auto.load(tmp_path / "b.npz")
    assert name not in sys.modules


def test_sizes_must_fit():
    model = Auto()
    frame = film(resting(1))[0][0]
    model.apply(frame)
    with pytest.raises(FrameError):
        model.apply(frame[:80])
    with pytest.raises(FrameError):
        Auto().bootstrap([])
