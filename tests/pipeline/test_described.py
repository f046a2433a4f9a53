"""Models that are made of others, as files."""

import sys

import pytest
from auto_films import assert_masks_of, assert_same, film, resting, turned

from motionseg.background import RunningAverage
from motionseg.background._guarded import Guarded
from motionseg.camera import SparseCorners
from motionseg.cluster import QuadraticLayers
from motionseg.core.errors import FrameError, StateError
from motionseg.core.state import read_state, write_state
from motionseg.flow import OpenCVDIS
from motionseg.fuse import Appearance, MeanField
from motionseg.pipeline import Clustered, Compensated, FlowFused, NaiveFlow
from motionseg.pipeline.auto import Auto


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
