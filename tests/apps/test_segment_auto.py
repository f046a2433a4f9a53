"""`motionseg segment` where the camera may move: what it says of it, why, and going on after an interruption."""

from __future__ import annotations

import json
from itertools import pairwise

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from motionseg.apps import cli
from motionseg.apps.config import build_segmenter
from motionseg.apps.segment_job import segment_to_folder
from motionseg.apps.stop import Stop
from motionseg.core.errors import ParameterError
from motionseg.io import read_image, write_image

N_STILL, N, N_PAN = 27, 35, 14  # frames before the camera begins to pan, and in all; and of one that always pans


def run(*arguments):
    return CliRunner().invoke(cli.app, ["segment", *(str(a) for a in arguments)])


def textured(rng, shape):
    return cv2.GaussianBlur(rng.integers(0, 256, (*shape, 3), np.uint8), (0, 0), 2) * np.uint8(2)


def film(path, n, pan):
    """A thing crosses the picture; the camera has turned by pan(i) pixels in frame i."""
    rng = np.random.default_rng(3)
    world, thing = textured(rng, (130, 260)), textured(rng, (36, 30))
    for i in range(n):
        x = pan(i)
        frame = np.clip(world[5:125, x : x + 160] + rng.normal(0, 1, (120, 160, 3)), 0, 255).astype(np.uint8)
        frame[40:76, 10 + 2 * i : 40 + 2 * i] = thing
        write_image(path / f"{i:04d}.png", frame)
    return path


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    return film(tmp_path_factory.mktemp("still"), 14, lambda i: 20)


@pytest.fixture(scope="module")
def panning(tmp_path_factory):
    return film(tmp_path_factory.mktemp("panning"), N_PAN, lambda i: 4 * i)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A camera that stands, then pans."""
    return film(tmp_path_factory.mktemp("both"), N, lambda i: 5 * max(0, i - N_STILL))


def segment(source, folder, *, model="auto", stop_after=None, **options):
    """Segment; a signal comes while frame `stop_after` is in hand. Returns the summary."""
    stop = Stop()

    def on_frame(done, result):
        stop.asked = result.index + 1 == stop_after

    explain = options.pop("explain", False)
    segmenter = build_segmenter(model, explain=explain)
    return segment_to_folder(str(source), folder, segmenter=segmenter, stop=stop, on_frame=on_frame, **options)


def files(folder):
    """What a run has written, but the times it took."""
    written = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    summary = json.loads(written.pop("summary.json"))
    return written, {name: value for name, value in summary.items() if "second" not in name}


# --- the camera --------------------------------------------------------------------------------


def test_the_summary_lists_what_the_camera_does_whenever_it_changes(both, tmp_path):
    camera = segment(both, tmp_path / "out")["camera"]
    assert camera == json.loads((tmp_path / "out" / "summary.json").read_text())["camera"]
    assert camera[0] == {"frame": 0, "time": 0.0, "behaviour": "still", "way": "background"}
    assert {row["way"] for row in camera if row["frame"] < N_STILL} == {"background"}
    assert (camera[-1]["behaviour"], camera[-1]["way"]) == ("panning", "flow")
    assert N_STILL < camera[-1]["frame"] < N_STILL + 6
    for before, now in pairwise(camera):
        assert before["frame"] < now["frame"]
        assert (before["behaviour"], before["way"]) != (now["behaviour"], now["way"])
        assert now["time"] == pytest.approx(now["frame"] / 25, abs=1e-6)


def test_models_that_know_no_camera_say_nothing_of_it(still, tmp_path):
    assert "camera" not in segment(still, tmp_path / "out", model="sigma_delta", end=0.2)


def test_what_moves_is_found_behind_a_camera_that_pans(panning, tmp_path):
    segment(panning, tmp_path / "out")
    mask = read_image(tmp_path / "out" / "masks" / "000012.png", grey=True)
    inside = np.zeros(mask.shape, bool)
    inside[40:76, 34:64] = True
    assert (mask[inside] == 255).mean() > 0.8
    assert (mask[~inside] == 255).mean() < 0.05


# --- going on ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(request, tmp_path_factory):
    """Runs that nobody interrupted, each done once."""
    done = {}

    def run_whole(clip, offline):
        if (clip, offline) not in done:
            folder = tmp_path_factory.mktemp("whole")
            source = request.getfixturevalue(clip)
            segment(source, folder, offline=offline, explain=clip == "panning")
            done[clip, offline] = folder
        return done[clip, offline]

    return run_whole


@pytest.mark.parametrize(
    ("clip", "offline", "stop_after"),
    [
        ("still", False, 7),
        ("panning", False, 1),
        ("panning", False, 9),
        ("both", False, N_STILL + 2),
        ("still", True, 7),
        ("panning", True, 9),
        pytest.param("both", False, N_STILL - 3, marks=pytest.mark.slow),
        pytest.param("both", True, N_STILL - 3, marks=pytest.mark.slow),
        pytest.param("both", True, N_STILL + 5, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_ends_as_if_nothing_had_happened(clip, offline, stop_after, whole, request, tmp_path):
    source, out = request.getfixturevalue(clip), tmp_path / "out"
    options = {"offline": offline, "explain": clip == "panning"}
    part = segment(source, out, stop_after=stop_after, **options)
    assert (part["frames"], part["complete"], part["error"]) == (stop_after, False, "interrupted")
    assert (out / "state.npz").exists()
    assert segment(source, out, resume=True, **options)["complete"] is True
    assert_same(out, whole(clip, offline))


def assert_same(resumed, whole):
    (resumed, told), (expected, expected_told) = files(resumed), files(whole)
    assert resumed.keys() == expected.keys()
    assert [name for name in expected if resumed[name] != expected[name]] == []
    assert told["camera"] == expected_told["camera"]
    assert told == expected_told


@pytest.mark.slow
def test_offline_begins_where_the_part_of_the_source_begins(panning, tmp_path):
    segment(panning, tmp_path / "out", stop_after=5, offline=True, start=0.15, end=0.45)
    segment(panning, tmp_path / "out", resume=True, offline=True, end=0.45)
    segment(panning, tmp_path / "whole", offline=True, start=0.15, end=0.45)
    assert_same(tmp_path / "out", tmp_path / "whole")
    assert sorted(p.name for p in (tmp_path / "out" / "masks").iterdir())[0] == "000004.png"


def test_offline_sees_the_frames_to_come(whole):
    online, offline = (read_image(whole("panning", way) / "masks" / "000000.png", grey=True) for way in (False, True))
    assert not online.any(), "nothing is known of what moves in a first frame"
    assert (offline[42:74, 12:38] == 255).mean() > 0.8


def test_explaining_or_not_is_no_way_to_go_on(still, tmp_path):
    segment(still, tmp_path / "out", stop_after=5)
    with pytest.raises(ParameterError, match="had explain False, so it cannot go on with True"):
        segment(still, tmp_path / "out", resume=True, explain=True)
    assert not (tmp_path / "out" / "evidence").exists()


# --- why ---------------------------------------------------------------------------------------


def test_explain_writes_a_picture_for_every_frame_and_overwrite_clears_them(panning, tmp_path):
    out = tmp_path / "out"
    result = run(panning, "-o", out, "--explain", "--json", "--start", "0.15")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["explain"], summary["model"]) == (True, "auto")
    assert summary["files"] == ["evidence", "masks", "tracks.csv"]
    names = [f"{i:06d}.png" for i in range(4, N_PAN)]
    assert sorted(p.name for p in (out / "evidence").iterdir()) == names
    assert sorted(p.name for p in (out / "masks").iterdir()) == names
    assert read_image(out / "evidence" / names[0]).shape == (120, 480, 3), "the background alone"
    assert read_image(out / "evidence" / names[-1]).shape[0] > 120, "the cues of flow"
    assert run(panning, "-o", out, "--explain").exit_code == 2

    (out / "evidence" / "mine.png").write_bytes(b"mine")
    assert run(panning, "-o", out, "--explain", "--overwrite", "--end", "0.1").exit_code == 0
    assert sorted(p.name for p in (out / "evidence").iterdir()) == [
        "000000.png",
        "000001.png",
        "000002.png",
        "mine.png",
    ]
    assert run(panning, "-o", out, "--overwrite", "--end", "0.1", "--json").exit_code == 0
    assert [p.name for p in (out / "evidence").iterdir()] == ["mine.png"]


def test_offline_the_passes_explain_themselves(whole):
    online, offline = (read_image(whole("panning", way) / "evidence" / "000007.png") for way in (False, True))
    assert offline.shape[0] == 240, "frame, forward, backward; prior, appearance"
    assert online.shape != offline.shape or (online != offline).any()


def test_a_source_among_the_evidence_is_not_overwritten(still, tmp_path):
    assert run(still, "-o", tmp_path / "out", "--explain", "--end", "0.1").exit_code == 0
    result = run(tmp_path / "out" / "evidence", "-o", tmp_path / "out", "--overwrite")
    assert result.exit_code == 2
    assert "would be overwritten" in result.stderr
    assert len(list((tmp_path / "out" / "evidence").iterdir())) == 3


@pytest.mark.parametrize("model", ["sigma_delta", "naive_flow", "flow.residual_threshold"])
def test_models_without_cues_explain_themselves_by_their_score(model, still, tmp_path):
    result = run(still, "-o", tmp_path / "out", "--explain", "--model", model, "--end", "0.1", "--json")
    assert json.loads(result.stdout)["model"] == model
    pictures = sorted((tmp_path / "out" / "evidence").iterdir())
    assert len(pictures) == 3
    assert read_image(pictures[0]).shape == (120, 480, 3)


def test_without_explain_there_is_no_evidence(still, tmp_path):
    assert json.loads(run(still, "-o", tmp_path / "out", "--end", "0.1", "--json").stdout)["explain"] is False
    assert not (tmp_path / "out" / "evidence").exists()


def test_help_and_models_name_the_new_words():
    told = CliRunner().invoke(cli.app, ["segment", "--help"], env={"COLUMNS": "160"}).stdout
    assert "--explain" in told
    assert "flow.CLUSTERER" in told
    listed = json.loads(CliRunner().invoke(cli.app, ["models", "--json"]).stdout)["models"]
    rooms = {row["room"] for row in listed}
    assert {"background", "flow", "cluster", "camera", "track"} <= rooms
    assert not any("F" in row for row in listed if row["room"] != "background")
