"""Names and settings become objects, and objects say the names and settings that make them again."""

from __future__ import annotations

import json

import pytest

from motionseg.apps.config import (
    DEFAULT_MODEL,
    build_method,
    build_segmenter,
    method_parameters,
    model_name,
    parse_settings,
    segmenter_parameters,
)
from motionseg.background import Guarded
from motionseg.core import catalog
from motionseg.core.errors import ParameterError
from motionseg.pipeline import Auto, Clustered, Compensated, FlowFused, MotionSegmenter, NaiveFlow

CLUSTERERS = [f"flow.{name}" for name in catalog.names("cluster")]
BACKGROUNDS = [name for name in catalog.names("background") if not name.startswith("opencv_")]
MOVING = ["auto", "flow_fused", "naive_flow", *CLUSTERERS]
FLOW_ONLY = {"naive_flow": ("flow",), "flow.kmeans": ("flow",), "flow_fused": ("flow", "fuser", "appearance")}
A_SETTING = {
    "guard": {"guard.ghosts": False},
    "camera": {"camera.model": "affine"},
    "flow": {"flow.preset": "ultrafast"},
    "fuser": {"fuser.smoothness": 2.5},
    "appearance": {"appearance.memory": 0.5},
}


@pytest.mark.parametrize("name", [*MOVING, *BACKGROUNDS, "adaptive+guard", "knn+camera", "sigma_delta+guard+camera"])
def test_every_name_builds_and_is_told_again_with_all_that_sets_it(name):
    segmenter = build_segmenter(name)
    assert isinstance(segmenter, MotionSegmenter)
    assert model_name(segmenter.background) == name
    told = segmenter_parameters(segmenter)
    assert json.loads(json.dumps(told)).keys() == told.keys()
    assert segmenter_parameters(build_segmenter(name, told)) == told
    for key, value in told.items():
        assert segmenter_parameters(build_segmenter(name, {key: value})) == told, key


@pytest.mark.parametrize("name", ["auto", "flow_fused", "naive_flow", "flow.kmeans", "flow.residual_threshold"])
def test_what_a_summary_says_can_be_given_on_the_command_line(name):
    told = segmenter_parameters(build_segmenter(name))
    words = [f"{key}={value}" for key, value in told.items() if not isinstance(value, (tuple, list))]
    assert segmenter_parameters(build_segmenter(name, parse_settings(words))) == told


def test_the_default_is_auto():
    assert DEFAULT_MODEL == "auto"
    assert type(build_segmenter().background) is Auto
    assert segmenter_parameters(build_segmenter()) == segmenter_parameters(MotionSegmenter.auto())


def test_settings_reach_every_part_of_auto():
    settings = {"history": 77, "min_area": 9, "cleaner.gap": 0, "linker.max_gap": 0.5}
    for more in A_SETTING.values():
        settings |= more
    segmenter = build_segmenter("auto", settings, explain=True)
    model = segmenter.background
    assert isinstance(model, Auto)
    assert isinstance(model.fixed.model, Guarded)
    assert (model.fixed.model.model.history, model.fixed.model.ghosts) == (77, False)
    assert model.camera.model == model.fixed.camera.model == "affine"
    assert model.moving.estimator.preset == "ultrafast"
    assert (model.moving.fuser.smoothness, model.moving.appearance.memory) == (2.5, 0.5)
    assert (segmenter.min_area, segmenter.cleaner.gap, segmenter.linker.max_gap) == (9, 0, 0.5)
    assert segmenter.explain is True
    told = segmenter_parameters(segmenter)
    assert {key: told[key] for key in settings} == settings


@pytest.mark.parametrize(
    ("name", "kind"), [("flow_fused", FlowFused), ("naive_flow", NaiveFlow), ("flow.kmeans", Clustered)]
)
def test_settings_reach_what_looks_at_flow(name, kind):
    settings = {key: value for part in FLOW_ONLY[name] for key, value in A_SETTING[part].items()}
    settings |= {"n_groups": 5} if name == "flow.kmeans" else {}
    model = build_segmenter(name, settings).background
    assert type(model) is kind
    told = method_parameters(model)
    assert {key: told[key] for key in settings} == settings
    assert model.estimator.preset == "ultrafast"


@pytest.mark.parametrize("name", FLOW_ONLY)
@pytest.mark.parametrize("part", A_SETTING)
def test_settings_of_parts_that_it_has_not_are_refused(name, part):
    if part in FLOW_ONLY[name]:
        build_segmenter(name, A_SETTING[part])
        return
    (key,) = A_SETTING[part]
    with pytest.raises(ParameterError, match=f"{name} has no parameter '{key}'"):
        build_segmenter(name, A_SETTING[part])
    with pytest.raises(ParameterError, match=f"{name} has no parameter '{key}'"):
        build_method("masks", name, A_SETTING[part])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("flow.nonsense", {}, r"nonsense.*there are: .*kmeans"),
        ("flow.", {}, "there are: .*kmeans"),
        ("flow.kmeans+camera", {}, "kmeans"),
        ("auto+guard", {}, "auto"),
        ("flow.kmeans", {"history": 5}, "kmeans has no parameter 'history'; it has: "),
        ("flow_fused", {"history": 5}, "flow_fused has no parameter 'history'"),
        ("naive_flow", {"history": 5}, "naive_flow has no parameter 'history'"),
        ("auto", {"horizon": 5}, "adaptive has no parameter 'horizon'; it has: history"),
        ("auto", {"flow.speed": 5}, "flow has no parameter 'speed'; it has: preset"),
        ("auto", {"fuser.speed": 5}, "fuser has no parameter 'speed'"),
        ("auto", {"camera.speed": 5}, "camera has no parameter 'speed'"),
        ("auto", {"estimator.preset": "fast"}, "no part is called 'estimator'.* guard., camera., flow., fuser."),
        ("auto", {"flow.preset": "slowest"}, "preset"),
        ("knn", {"flow.preset": "fast"}, "knn has no parameter 'flow.preset'"),
    ],
)
def test_wrong_names_and_settings_are_named(name, settings, message):
    with pytest.raises(ParameterError, match=message):
        build_segmenter(name, settings)


@pytest.mark.parametrize("name", MOVING)
def test_a_benchmark_takes_the_same_names(name):
    method = build_method("masks", name, {"flow.preset": "fast"})
    assert isinstance(method, MotionSegmenter if name == "auto" else (FlowFused, NaiveFlow, Clustered))
    told = method_parameters(method, offline=True)
    assert (told["flow.preset"], told["offline"]) == ("fast", True)
    json.dumps(told)


def test_a_model_of_ones_own_is_called_by_its_class():
    class Mine(NaiveFlow):
        pass

    assert model_name(Mine()) == "Mine"
    assert model_name(Compensated(Guarded(catalog.find("background", "knn")()))) == "knn+guard+camera"
