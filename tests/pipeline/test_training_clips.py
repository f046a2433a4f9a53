"""Samples for the refinement network: what is in them, that seeds decide it, and that rendering can be resumed."""

from __future__ import annotations

import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motionseg.background import RunningAverage
from motionseg.core.errors import OutputError, ParameterError, SourceError, UnsupportedError
from motionseg.core.state import read_state
from motionseg.datasets import Material
from motionseg.datasets._collage import CAMERAS, Collage
from motionseg.pipeline import (
    SAMPLE_SIZE,
    NaiveFlow,
    _sampling,
    render_samples,
    sample_clip,
    sample_stills,
    training_clips,
)

LAYOUT = {
    "frame": ((2, 160, 192, 3), np.uint8),
    "background": ((2, 160, 192, 3), np.uint8),
    "score": ((2, 160, 192), np.uint8),
    "mask": ((2, 160, 192), np.uint8),
    "truth": ((2, 160, 192), np.uint8),
    "labels": ((2, 160, 192), np.uint8),
    "cues": ((2, 40, 48, 2), np.uint8),
    "flow": ((40, 48, 2), np.float16),
    "knows": ((3,), np.bool_),
    "kind": ((), np.uint8),
}
MADE_UP = Material()


@pytest.fixture
def small(monkeypatch):
    """Short clips of small pictures."""
    monkeypatch.setattr(training_clips, "_SIZES", ((96, 72), (128, 96), (80, 64)))
    monkeypatch.setattr(training_clips, "_N_FRAMES", (8, 12))


def only(monkeypatch, camera, *models, sees_whole=False):
    """Clips of one kind of camera, shown to these models in turn."""
    priors = [(1.0 / len(models), model, sees_whole) for model in models]
    monkeypatch.setattr(training_clips, "_CAMERA_ODDS", {kind: float(kind == camera) for kind in CAMERAS})
    monkeypatch.setattr(training_clips, "_PRIORS", {camera: (priors, len(models))})


# --- one clip ---------------------------------------------------------------------------------


def test_samples_are_as_they_are_said_to_be(small):
    kinds = set()
    for seed in range(14):
        samples = sample_clip(MADE_UP, seed, n_samples=6)
        assert set(samples) == set(LAYOUT)
        n = len(samples["frame"])
        assert n == 6
        for name, (shape, dtype) in LAYOUT.items():
            assert samples[name].shape == (n, *shape), name
            assert samples[name].dtype == dtype, name
        assert np.isfinite(samples["flow"]).all()
        assert set(np.unique(samples["mask"])) <= {0, 85, 127, 255}
        assert set(np.unique(samples["truth"])) <= {0, 50, 170, 255}
        assert (samples["labels"][samples["truth"] == 255] > 0).all()
        assert len(set(samples["kind"])) == 1
        kinds.add(CAMERAS[samples["kind"][0]])
        foreground, score = samples["mask"] == 255, samples["score"]
        if foreground.any():
            assert score[foreground].mean() > score[samples["mask"] == 0].mean() + 30
    assert kinds == set(CAMERAS)
    assert SAMPLE_SIZE == (192, 160)


def test_a_seed_decides_everything(small):
    one, again, other = (sample_clip(Material(), seed, n_samples=4) for seed in (3, 3, 4))
    for name in LAYOUT:
        np.testing.assert_array_equal(one[name], again[name])
    assert (one["frame"] != other["frame"]).any()


def test_the_kind_is_that_of_the_camera(small, monkeypatch):
    for camera in CAMERAS:
        only(monkeypatch, camera, RunningAverage)
        assert set(sample_clip(MADE_UP, 1, n_samples=2)["kind"]) == {CAMERAS.index(camera)}


def test_models_without_a_background_know_none(small, monkeypatch):
    only(monkeypatch, "moving", NaiveFlow)
    samples = sample_clip(MADE_UP, 1, n_samples=4)
    assert not samples["knows"][:, 0].any()
    assert samples["knows"][:, 1:].all()
    assert not samples["background"].any()
    only(monkeypatch, "moving", RunningAverage)
    samples = sample_clip(MADE_UP, 1, n_samples=4)
    assert samples["knows"].all()
    assert samples["background"].any(axis=(2, 3, 4)).all()


def test_two_models_share_the_samples(small, monkeypatch):
    only(monkeypatch, "fixed", RunningAverage, NaiveFlow)
    samples = sample_clip(MADE_UP, 2, n_samples=7)
    assert sorted(samples["knows"][:, 0]) == [False] * 3 + [True] * 3


def test_short_clips_give_fewer(small, monkeypatch):
    only(monkeypatch, "fixed", RunningAverage)
    n = len(sample_clip(MADE_UP, 1, n_samples=50)["frame"])
    assert 6 <= n <= 9  # of 8 to 11 frames, all from the third on


def test_some_models_see_the_clip_first(small, monkeypatch):
    class Counts(RunningAverage):
        def bootstrap(self, frames, **options):
            seen.append(len(frames))
            return super().bootstrap(frames, **options)

    seen: list[int] = []
    only(monkeypatch, "fixed", Counts, sees_whole=True)
    first = sample_clip(MADE_UP, 1, n_samples=2)
    assert len(seen) == 1
    assert 8 <= seen[0] < 12
    only(monkeypatch, "fixed", Counts)
    later = sample_clip(MADE_UP, 1, n_samples=2)
    assert len(seen) == 1
    assert (first["background"] != later["background"]).any()


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("seed", (MADE_UP, -1), {}),
        ("seed", (MADE_UP, 0.5), {}),
        ("n_samples", (MADE_UP, 1), {"n_samples": 1}),
        ("n_samples", (MADE_UP, 1), {"n_samples": 2.0}),
        ("material", ("photos", 1), {}),
    ],
)
def test_bad_parameters_are_refused(name, arguments, options):
    with pytest.raises(ParameterError, match=name):
        sample_clip(*arguments, **options)


@pytest.mark.data
def test_real_photographs_make_samples(small, data_root):
    material = Material(data_root / "train")
    samples = sample_clip(material, 0, n_samples=4)
    assert samples["frame"].std() > 5
    assert (samples["frame"] != sample_clip(MADE_UP, 0, n_samples=4)["frame"]).any()


# --- how samples are taken -----------------------------------------------------------------------


class Echo:
    """A model whose mask and background say which frame it saw last."""

    motion = None

    def __init__(self):
        self.seen = []

    def apply(self, frame):
        self.seen.append(int(frame[0, 0, 0]))
        self.shape = frame.shape[:2]
        return np.full(self.shape, self.seen[-1], np.uint8)

    def score(self):
        return np.full(self.shape, self.seen[-1] / 255, np.float32)

    def background(self):
        if self.seen[-1] < 5:
            raise UnsupportedError("not yet")
        return np.full((*self.shape, 3), 100 + self.seen[-1], np.uint8)


class Flows:
    """An estimator that tells which frames it was given."""

    def estimate(self, previous, current):
        return np.full((*current.shape[:2], 2), (float(previous[0, 0, 0]), float(current[0, 0, 0])), np.float32)


class Shot:
    def __init__(self, i):
        self.truth, self.labels = np.full((60, 80), 200 + i, np.uint8), np.full((60, 80), i, np.uint8)


def test_a_sample_is_a_frame_and_the_one_before_it(monkeypatch):
    monkeypatch.setattr(_sampling, "_window", lambda rng, shape: (0.0, 0.0, 1.0, 1.0))
    frames = [np.full((60, 80, 3), i, np.uint8) for i in range(12)]
    model, rng = Echo(), np.random.default_rng(0)
    samples = _sampling.sampled(model, frames, [Shot(i) for i in range(12)], [2, 3, 7], Flows(), rng, kind=1)
    assert model.seen == list(range(8))  # every frame, in order, as far as it is needed
    pairs = np.array([[1, 2], [2, 3], [6, 7]])

    def values(name):
        array = samples[name].reshape(3, 2, -1)
        assert (array == array[..., :1]).all()
        return array[..., 0]

    for name in ("frame", "mask", "score", "labels"):
        np.testing.assert_array_equal(values(name), pairs)
    np.testing.assert_array_equal(values("truth"), pairs + 200)
    np.testing.assert_array_equal(values("background"), [[0, 0], [0, 0], [106, 107]])
    np.testing.assert_array_equal(samples["knows"][:, 0], [False, False, True])
    assert samples["kind"].tolist() == [1, 1, 1]
    # From the second frame back to the first, 80 x 60 pixels enlarged to FLOW_SIDE or not, in those of 48 x 40.
    ratio = samples["flow"][:, 0, 0] / np.stack([pairs[:, 1], pairs[:, 0]], axis=1)
    rows = _sampling.resized(frames[0], _sampling.FLOW_SIDE).shape[0]
    np.testing.assert_allclose(ratio, np.tile([48 / (rows * 4 / 3), 40 / rows], (3, 1)), rtol=2e-3)


@given(seed=st.integers(0, 2**32), height=st.integers(48, 400), width=st.integers(48, 600))
def test_windows_lie_in_the_frame(seed, height, width):
    left, top, wide, tall = _sampling._window(np.random.default_rng(seed), (height, width, 3))
    assert 0 <= left <= left + wide <= 1 + 1e-12
    assert 0 <= top <= top + tall <= 1 + 1e-12
    assert wide >= 0.4
    assert tall == 1 or np.isclose(
        wide * width / (tall * height), 192 / 160
    )  # circles stay circles, where there is room


def test_a_window_of_everything_shows_the_same_place():
    y, x = np.mgrid[:120, :160].astype(np.float32)
    place = np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)
    seen = {"frame": place, "background": None, "score": place[..., 0], "mask": place[..., 1]}
    seen |= {"truth": place[..., 0], "labels": place[..., 1], "cues": np.stack([x / 160, y / 120], axis=-1)}
    seen["flow"] = np.tile(np.float32([6, -3]), (60, 80, 1))  # of half the size
    cut = _sampling._cut(seen, (0.25, 0.5, 0.5, 0.4))
    for name in ("frame", "score", "mask", "truth", "labels"):
        assert cut[name].shape[:2] == (160, 192)
    assert not cut["background"].any()
    np.testing.assert_allclose(cut["frame"][80, 96, :2], (80, 84), atol=1)
    assert abs(int(cut["score"][80, 96]) - 80) <= 1
    assert abs(int(cut["truth"][80, 96]) - 80) <= 1
    assert abs(int(cut["mask"][80, 96]) - 84) <= 1
    assert np.abs(cut["cues"][20, 24].astype(int) - np.array([127, 178])).max() <= 3
    np.testing.assert_allclose(cut["flow"][20, 24], (6 * 48 / 40, -3 * 40 / 24), rtol=2e-3)


# --- stills ---------------------------------------------------------------------------------------


def test_stills_are_samples_of_many_scenes():
    samples = sample_stills(MADE_UP, 1, n_samples=12)
    for name, (shape, dtype) in LAYOUT.items():
        assert samples[name].shape == (12, *shape), name
        assert samples[name].dtype == dtype, name
    assert (samples["labels"][samples["truth"] == 255] > 0).all()
    assert set(samples["kind"]) <= {0, 1}
    means = samples["frame"][::2].mean(axis=(1, 2, 3))
    assert np.ptp(means, axis=0).min() > 10  # no scene is like another
    again = sample_stills(Material(), 1, n_samples=12)
    for name in LAYOUT:
        np.testing.assert_array_equal(samples[name], again[name])
    assert len(sample_stills(MADE_UP, 1, n_samples=3)["frame"]) == 2


def test_ghosts_are_in_the_background_and_nowhere_else(monkeypatch):
    """A thing that stood where the model learned and has gone: the background has it, the empty scene does not."""
    rng, seen = np.random.default_rng(3), 0
    for seed in range(40):
        scene = Collage(MADE_UP, width=96, height=80, n_frames=60, calm=True, seed=seed)
        if not scene.ids:
            continue
        learned = training_clips._learned(scene, rng)
        assert len(learned) == 9
        empty = scene.without(0).astype(int)
        seen += np.abs(np.median(learned, axis=0) - empty).max() > 60
    assert 4 <= seen <= 25


# --- many clips -------------------------------------------------------------------------------------


@pytest.fixture
def at_home(monkeypatch, small):
    """Rendering without processes: in one thread of this one."""

    class OneThread(ThreadPoolExecutor):
        def __init__(self, workers, *, mp_context, initializer, initargs):
            asked.append((workers, mp_context.get_start_method()))
            super().__init__(1, initializer=initializer, initargs=initargs)

    asked: list[tuple[int, str]] = []
    threads = cv2.getNumThreads()
    monkeypatch.setattr(training_clips, "ProcessPoolExecutor", OneThread)
    monkeypatch.setattr(training_clips, "_material", None)
    yield asked
    cv2.setNumThreads(threads)


def test_rendering_resumes_and_leaves_what_is_there(at_home, tmp_path):
    folder = tmp_path / "new" / "samples"
    told: list[int] = []
    files = render_samples(folder, root=None, n_clips=3, seed=5, workers=2, on_clip=told.append)
    assert [file.name for file in files] == [f"clip_0000000{k}.npz" for k in (5, 6, 7)]
    assert told == [1, 2, 3]
    assert at_home == [(2, "spawn")]
    assert sorted(folder.iterdir()) == files  # and nothing else
    arrays, head = read_state(files[1])
    assert head["samples"] == len(arrays["knows"])
    for name, expected in sample_clip(MADE_UP, 6).items():
        np.testing.assert_array_equal(arrays[name], expected)

    files[0].write_bytes(b"mine")
    files[1].unlink()
    times = files[0].stat().st_mtime_ns, files[2].stat().st_mtime_ns
    told.clear()
    assert render_samples(folder, root=None, n_clips=3, seed=5, on_clip=told.append) == files
    assert told == [3]
    assert files[0].read_bytes() == b"mine"
    assert (files[0].stat().st_mtime_ns, files[2].stat().st_mtime_ns) == times
    np.testing.assert_array_equal(read_state(files[1])[0]["frame"], arrays["frame"])


def test_nothing_is_done_where_all_is_there(at_home, tmp_path, monkeypatch):
    for k in range(2):
        (tmp_path / f"clip_{k:08d}.npz").touch()
    monkeypatch.setattr(training_clips, "_render", lambda file: pytest.fail("rendered"))
    files = render_samples(tmp_path, root=None, n_clips=2, on_clip=lambda done: pytest.fail("told"))
    assert [file.stat().st_size for file in files] == [0, 0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_on_clip_raises_ends_all(at_home, tmp_path, monkeypatch, error):
    goes_on = threading.Event()

    def slowly(file):
        if file.stem.endswith("1"):
            goes_on.wait(10)  # the second clip is under way when the first is reported
        file.touch()

    def on_clip(done):
        threading.Timer(0.2, goes_on.set).start()
        raise error

    monkeypatch.setattr(training_clips, "_render", slowly)
    with pytest.raises(error):
        render_samples(tmp_path, root=None, n_clips=8, on_clip=on_clip)
    assert len(list(tmp_path.iterdir())) <= 2


def test_a_picture_that_cannot_be_read_is_named(at_home, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "bad.png").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"bad\.png: not a readable image") as caught:
        render_samples(tmp_path / "out", root=tmp_path, n_clips=2)
    assert caught.value.source == str(tmp_path / "photos" / "bad.png")
    assert str(caught.value).count("bad.png") == 1
    assert list((tmp_path / "out").iterdir()) == []


def test_other_errors_of_a_clip_reach_the_caller(at_home, tmp_path, monkeypatch):
    def fails(*arguments, **options):
        raise OutputError("disk full")

    monkeypatch.setattr(training_clips, "write_state", fails)
    with pytest.raises(OutputError, match="disk full"):
        render_samples(tmp_path, root=None, n_clips=2)
    assert str(pickle.loads(pickle.dumps(OutputError("disk full")))) == "disk full"  # as it is between processes


def test_folders_that_cannot_be_written(at_home, tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="file"):
            render_samples(folder, root=None, n_clips=1)
    training_clips._begin(None)
    with pytest.raises(OutputError, match="gone"):  # as a worker finds it
        training_clips._render(tmp_path / "gone" / "clip_00000001.npz")


@pytest.mark.parametrize(
    ("options", "error", "what"),
    [
        ({"n_clips": -1}, ParameterError, "n_clips"),
        ({"n_clips": 1.5}, ParameterError, "n_clips"),
        ({"seed": -1}, ParameterError, "seed"),
        ({"workers": 0}, ParameterError, "workers"),
        ({"workers": "all"}, ParameterError, "workers"),
        ({"root": "no/such/folder"}, SourceError, "no/such/folder"),
    ],
    ids=str,
)
def test_bad_calls_are_refused_before_anything_is_made(at_home, tmp_path, options, error, what):
    with pytest.raises(error, match=what):
        render_samples(tmp_path / "out", **{"root": None, "n_clips": 1, **options})
    assert not (tmp_path / "out").exists()
    assert at_home == []


@pytest.mark.slow
def test_processes_give_the_same_and_their_errors_arrive(tmp_path):
    """Two real starts: one that works, one that cannot read its picture (which pickle alone would have lost)."""
    (file,) = render_samples(tmp_path / "out", root=None, n_clips=1, seed=12, workers=1)
    arrays = read_state(file)[0]
    for name, expected in sample_clip(MADE_UP, 12).items():
        np.testing.assert_array_equal(arrays[name], expected)
        assert expected.shape == (20, *LAYOUT[name][0])
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "bad.png").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"bad\.png: not a readable image"):
        render_samples(tmp_path / "none", root=tmp_path, n_clips=1, seed=12, workers=1)
    assert os.listdir(tmp_path / "none") == []
