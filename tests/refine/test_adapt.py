"""Weights fit themselves to a clip that nobody has labelled, and are kept if that made them better."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from motionseg.apps import adapt_job, cli
from motionseg.background import RunningAverage
from motionseg.core.errors import FrameError, ParameterError
from motionseg.io import write_image
from motionseg.pipeline import agreed_truth, sample_unlabelled
from motionseg.refine._network import build_network
from motionseg.refine._weights import read_weights, write_weights


def walk(n=40):
    """A bright thing crosses a textured wall."""
    wall = np.random.default_rng(3).integers(60, 120, (96, 128, 3), np.uint8)
    frames = []
    for i in range(n):
        frame = wall.copy()
        frame[30:70, 2 * i + 4 : 2 * i + 34] = (40, 80, 230)
        frames.append(frame)
    return frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip") / "frames"
    for i, frame in enumerate(walk()):
        write_image(folder / f"{i:03d}.png", frame)
    return folder


@pytest.fixture
def untaught(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "untaught.safetensors"
    write_weights(path, build_network("small"), "small", {"steps": 0})
    return path


def adapt(*arguments):
    return CliRunner().invoke(cli.app, ["adapt", *(str(a) for a in arguments)])


def test_agreement():
    masks = [np.uint8([[0, 255, 255, 127, 0]]), np.uint8([[0, 255, 0, 255, 127]])]
    assert agreed_truth(masks).tolist() == [[0, 255, 170, 170, 170]]
    with pytest.raises(ParameterError, match="none"):
        agreed_truth([])
    with pytest.raises(FrameError, match="size"):
        agreed_truth([masks[0], masks[0].T])


def test_models_agree_on_what_crosses():
    passes = []
    arrays = sample_unlabelled(walk(), RunningAverage(), n_samples=12, on_pass=passes.append)
    assert passes == [1, 2, 3, 4, 5]
    assert len(arrays["knows"]) == 12
    assert set(arrays["kind"]) == {0}
    truth, red = arrays["truth"][:, 1], arrays["frame"][:, 1, ..., 2] > 200
    known = truth != 170
    assert known.mean() > 0.8
    assert ((truth == 255) == red)[known].mean() > 0.98
    with pytest.raises(ParameterError, match="at least 20"):
        sample_unlabelled(walk(10), RunningAverage())


@pytest.mark.slow
def test_better_weights_are_kept(clip, untaught, tmp_path):
    output = tmp_path / "mine.safetensors"
    arguments = (clip, "-o", output, "--weights", untaught, "--model", "running_average", "--frames", 30)
    result = adapt(*arguments, "--steps", 30, "--device", "cpu", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["kept"]
    assert summary["iou_after"] > summary["iou_before"]
    assert summary["frames"] == 30
    assert "adapted" in read_weights(output)[2]
    again = adapt(*arguments, "--steps", 1)
    assert again.exit_code == 4
    assert "overwrite" in again.output


@pytest.mark.slow
def test_weights_that_got_no_better_are_not(clip, untaught, tmp_path, monkeypatch):
    monkeypatch.setattr(adapt_job, "_LEAST_GAIN", 2.0)
    output = tmp_path / "mine.safetensors"
    result = adapt(
        clip, "-o", output, "--weights", untaught, "--model", "running_average", "--frames", 30, "--steps", 1
    )
    assert result.exit_code == 1
    assert "no better" in result.output
    assert not output.exists()


def test_what_cannot_be_adapted_to_is_said(clip, untaught, tmp_path):
    still = tmp_path / "still"
    for i in range(24):
        write_image(still / f"{i}.png", np.full((64, 80, 3), 90, np.uint8))
    output = tmp_path / "mine.safetensors"
    result = adapt(still, "-o", output, "--weights", untaught)
    assert result.exit_code == 2
    assert "too little motion" in result.output
    assert adapt(tmp_path / "none.mp4", "-o", output).exit_code == 3
    (tmp_path / "file").touch()
    assert adapt(clip, "-o", tmp_path / "file" / "w.safetensors").exit_code == 4  # before any work
    classes = tmp_path / "classes.safetensors"
    write_weights(classes, build_network("small", 3), "small", {"n_classes": 3})
    result = adapt(clip, "-o", output, "--weights", classes)
    assert result.exit_code == 2
    assert "classes" in result.output
    assert not output.exists()


def test_an_interrupted_adaptation_writes_nothing(clip, untaught, tmp_path, monkeypatch):
    def interrupt(self, done):
        if self._unit == "steps":
            raise KeyboardInterrupt

    monkeypatch.setattr("motionseg.apps.manners.FrameProgress.advance_to", interrupt)
    output = tmp_path / "mine.safetensors"
    arguments = ("--weights", untaught, "--model", "running_average", "--frames", 20, "--steps", 3)
    assert adapt(clip, "-o", output, *arguments).exit_code == 130
    assert not output.exists()
