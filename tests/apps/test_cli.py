import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from motionseg.apps import cli, manners, segment_job
from motionseg.apps.config import DEFAULT_LINKER, build_segmenter, parse_settings, segmenter_parameters
from motionseg.core.errors import OutputError, ParameterError, SourceError
from motionseg.io import VideoWriter, open_video, write_image


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def frames(n=45, shape=(48, 96)):
    """A wall; from frame 20 on a box crosses it."""
    rng = np.random.default_rng(1)
    wall = np.kron(rng.integers(60, 160, (shape[0] // 8, shape[1] // 8, 3)), np.ones((8, 8, 1)))
    for i in range(n):
        frame = wall + rng.normal(0, 2, wall.shape)
        if i >= 20:
            frame[10:34, 3 * i - 60 : 3 * i - 44] = (240, 20, 30)
        yield frame.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "walk.mp4"
    with VideoWriter(path, fps=15) as video:
        for i, frame in enumerate(frames()):
            video.write(frame, i / 15)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures")
    for i, frame in enumerate(frames()):
        write_image(path / f"in{i + 1:06d}.png", frame)
    return path


def table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- segment -----------------------------------------------------------------------------------


def test_segment_writes_masks_tracks_and_summary(folder, tmp_path):
    result = run("segment", folder, "-o", tmp_path / "out", "--overlay")
    assert result.exit_code == 0, result.output
    assert "45 frames" in result.stdout
    out = tmp_path / "out"
    masks = list(open_video(out / "masks", grey=True))
    assert sorted(p.name for p in (out / "masks").iterdir()) == [f"{i:06d}.png" for i in range(45)]
    assert set(np.unique([m.frame for m in masks])) <= {0, 127, 255}
    assert (masks[-1].frame[12:32, 73:87] == 255).mean() > 0.9
    rows = table(out / "tracks.csv")
    columns = ["frame", "time", "id", "x0", "y0", "x1", "y1", "area", "score", "vx", "vy", "parent", "state"]
    assert list(rows[0]) == columns
    assert {row["state"] for row in rows} <= {"confirmed", "occluded"}
    last = rows[-1]
    assert (last["frame"], last["id"]) == ("44", rows[0]["id"])
    assert float(last["time"]) == pytest.approx(44 / 25, abs=1e-3)
    np.testing.assert_allclose([float(last[k]) for k in ("x0", "y0", "x1", "y1")], [72, 10, 88, 34], atol=3)
    np.testing.assert_allclose([float(last[k]) for k in ("vx", "vy")], [75, 0], atol=10)
    assert last["parent"] == "0"
    with open_video(out / "overlay.mp4") as overlay:
        assert (overlay.width, overlay.height) == (96, 48)
        assert sum(1 for _ in overlay) == 45
    summary = json.loads((out / "summary.json").read_text())
    assert summary["complete"] is True
    assert summary["error"] is None
    assert summary["frames"] == 45
    assert summary["frames_per_second"] == pytest.approx(45 / summary["seconds"], rel=0.05)
    assert (summary["model"], summary["linker"], summary["explain"]) == ("auto", DEFAULT_LINKER, False)
    assert summary["camera"] == [{"frame": 0, "time": 0.0, "behaviour": "still", "way": "background"}]
    assert summary["parameters"]["history"] == 1000
    assert summary["parameters"]["linker.max_gap"] == 1.0
    assert {"motionseg", "numpy", "numba", "av"} <= summary["versions"].keys()
    assert summary["files"] == ["masks", "overlay.mp4", "tracks.csv"]


def test_json_is_one_object_and_nothing_else(clip, tmp_path):
    result = run("segment", clip, "-o", tmp_path / "out", "--json", "--masks", "none")
    assert json.loads(result.stdout) == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert not (tmp_path / "out" / "masks").exists()


def test_a_folder_of_pictures_part_of_it_small(folder, tmp_path):
    result = run("segment", folder, "-o", tmp_path / "o", "--start", "0.2", "--end", "0.8", "--resize", "32", "--json")
    summary = json.loads(result.stdout)
    assert (summary["frames"], summary["width"], summary["height"]) == (15, 32, 16)
    assert (tmp_path / "o" / "masks" / "000005.png").exists(), "masks bear the source's frame numbers"
    assert not (tmp_path / "o" / "masks" / "000004.png").exists()


def test_masks_as_a_lossless_video(clip, tmp_path):
    assert run("segment", clip, "-o", tmp_path / "png").exit_code == 0
    assert run("segment", clip, "-o", tmp_path / "video", "--masks", "video").exit_code == 0
    pictures = [f.frame for f in open_video(tmp_path / "png" / "masks", grey=True)]
    film = [f.frame for f in open_video(tmp_path / "video" / "masks.mkv", grey=True)]
    np.testing.assert_array_equal(pictures, film)


def test_model_and_settings(clip, tmp_path):
    result = run("segment", clip, "-o", tmp_path / "o", "--model", "sigma_delta", "--set", "min_area=7",
                 "--set", "linker.max_gap=0.5", "--set", "cleaner.gap=0", "--json")  # fmt: skip
    summary = json.loads(result.stdout)
    assert summary["model"] == "sigma_delta"
    assert summary["parameters"]["min_area"] == 7
    assert summary["parameters"]["linker.max_gap"] == 0.5
    assert summary["parameters"]["cleaner.gap"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "mog3"], "there are: adaptive, "),
        (["--set", "speed=3"], "history=1000"),
        (["--set", "history"], "key=value"),
        (["--set", "history=0"], "in [10, "),
        (["--set", "history=1", "--set", "history=2"], "twice"),
        (["--set", "camera.x=1"], "camera"),
        (["--linker", "kalman"], "there are: "),
        (["--linker", "centroid", "--set", "linker.min_iou=0.2"], "linker centroid has no parameter 'min_iou'"),
        (["--set", "guard.x=1"], "guard has no parameter"),
        (["--model", "knn", "--set", "guard.ghosts=false"], "knn+guard"),
        (["--model", "knn+guard", "--set", "camera.model=affine"], "knn+guard+camera"),
        (["--model", "knn+camera+guard"], "in this order"),
        (["--masks", "gif"], "gif"),
        (["--resume", "--overwrite"], "give one"),
        (["--resume"], "no interrupted run"),
    ],
)
def test_wrong_use_is_2_and_leaves_nothing(clip, tmp_path, arguments, message):
    result = run("segment", clip, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_not_there_is_3_and_leaves_nothing(tmp_path):
    result = run("segment", tmp_path / "no.mp4", "-o", tmp_path / "out", "--json")
    assert result.exit_code == 3
    assert "no.mp4" in json.loads(result.stdout)["error"]
    assert not (tmp_path / "out").exists()


def test_a_source_that_breaks_off_is_3_and_keeps_what_was_read(folder, tmp_path):
    for i, picture in enumerate(sorted(folder.iterdir())):
        data = picture.read_bytes()
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / picture.name).write_bytes(data[:90] if i == 20 else data)
    result = run("segment", tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 3
    assert "in000021.png" in result.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["complete"], summary["frames"]) == (False, 20)
    assert "in000021.png" in summary["error"]
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 20


def test_a_folder_with_files_is_refused_unless_told(clip, tmp_path):
    out = tmp_path / "out"
    assert run("segment", clip, "-o", out).exit_code == 0
    (out / "notes.txt").write_text("mine")
    (out / "masks" / "000999.png").write_bytes(b"of an earlier, longer run")
    before = sorted(p.name for p in out.rglob("*"))
    result = run("segment", clip, "-o", out)
    assert result.exit_code == 2
    assert "--overwrite" in result.stderr
    assert sorted(p.name for p in out.rglob("*")) == before
    assert run("segment", clip, "-o", out, "--overwrite", "--end", "1").exit_code == 0
    assert len(list((out / "masks").iterdir())) == 15
    assert (out / "notes.txt").read_text() == "mine"


def test_the_source_is_not_overwritten(clip, tmp_path):
    out = tmp_path / "out"
    assert run("segment", clip, "-o", out, "--overlay").exit_code == 0
    for source in (out / "overlay.mp4", out / "masks"):
        result = run("segment", source, "-o", out, "--overwrite")
        assert result.exit_code == 2
        assert "would be overwritten" in result.stderr
    assert len(list((out / "masks").iterdir())) == 45


def test_a_full_disk_is_4_and_says_so(clip, tmp_path, monkeypatch):
    real = segment_job.MaskFolderWriter.write

    def write(self, index, mask):
        if index == 9:
            raise OutputError(f"{self.path}: No space left on device")
        real(self, index, mask)

    monkeypatch.setattr(segment_job.MaskFolderWriter, "write", write)
    result = run("segment", clip, "-o", tmp_path / "out")
    assert result.exit_code == 4
    assert "No space left" in result.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["frames"], summary["complete"]) == (9, False)
    # The tenth frame has been learned and is not written: a resumed run could not give it, so there is none.
    result = run("segment", clip, "-o", tmp_path / "out", "--resume")
    assert result.exit_code == 2
    assert "no interrupted run" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_leaves_a_readable_partial_result_that_goes_on(tmp_path, number):
    """As a user does it: Ctrl-C in the middle, look at the result, go on; the end is as if nothing had happened."""
    source, out, whole = tmp_path / "in", tmp_path / "out", tmp_path / "whole"
    for i, frame in enumerate(frames(200, (48, 640))):
        write_image(source / f"{i:04d}.png", frame)
    command = [sys.executable, "-m", "motionseg", "segment", str(source), "--overlay", "-o"]
    process = subprocess.Popen([*command, str(out)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(list((out / "masks").glob("*.png"))) < 40 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "--resume" in err
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["complete"], summary["error"]) == (False, "interrupted")
    n = summary["frames"]
    assert 40 <= n < 200
    assert len(list((out / "masks").iterdir())) == n
    assert sum(1 for _ in open_video(out / "overlay.mp4")) == n
    assert max(int(row["frame"]) for row in table(out / "tracks.csv")) < n

    (tmp_path / "other").mkdir()
    for other in ([source, "--set", "history=50"], [source, "--masks", "none"], [source, "--resize", "99"],
                  [tmp_path / "other"]):  # fmt: skip
        result = run("segment", *other, "-o", out, "--resume", "--overlay")
        assert result.exit_code == 2
        assert "cannot go on with" in result.stderr.replace("\n", " ")
    result = run("segment", source, "-o", out, "--resume", "--overlay", "--json")
    assert result.exit_code == 0, result.stderr
    assert run("segment", source, "-o", whole, "--overlay").exit_code == 0
    assert json.loads(result.stdout)["frames"] == 200
    assert (out / "tracks.csv").read_text() == (whole / "tracks.csv").read_text()
    for mask in (whole / "masks").iterdir():
        assert (out / "masks" / mask.name).read_bytes() == mask.read_bytes()
    assert sum(1 for _ in open_video(out / "overlay-2.mp4")) == 200 - n
    assert not (out / "state.npz").exists()
    assert run("segment", source, "-o", out, "--resume").exit_code == 2


# --- the others --------------------------------------------------------------------------------


def test_models_lists_all_with_their_facts():
    listed = json.loads(run("models", "--json").stdout)["models"]
    names = [row["name"] for row in listed]
    assert {"gaussian_mixture", "knn", "opencv_gsoc", "kalman_iou"} <= set(names)
    assert all(row["paper"] and row["speed"] and row["good_at"] for row in listed)
    text = run("models").stdout
    assert all(name in text for name in names)


@pytest.mark.slow
def test_demo_needs_no_data(tmp_path):
    result = run("demo", "-o", tmp_path / "d", "--frames", "60", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["frames"] == 60
    assert summary["f_measure"] > 0.8
    with open_video(tmp_path / "d" / "overlay.mp4") as video:
        assert sum(1 for _ in video) == 60
    with open_video(tmp_path / "d" / "street.mp4") as video:
        assert sum(1 for _ in video) == 60
    assert (tmp_path / "d" / "contact_sheet.png").stat().st_size > 10_000


def test_doctor_reports():
    report = json.loads(run("doctor", "--json").stdout)
    assert report["versions"]["motionseg"]
    assert report["threads"] >= 1
    assert report["opencv"]["wheels"]
    assert "cache_folder" in report
    text = run("doctor").stdout
    assert "no problems found" in text or "problem:" in text


def test_doctor_finds_rival_wheels(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    from motionseg.apps import doctor

    installed = {"opencv-python": "4.11", "opencv-contrib-python": "4.10"}

    def version(name):
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(doctor.importlib.metadata, "version", version)
    problems = doctor.examine()["problems"]
    assert any("opencv-python 4.11" in p and "pip uninstall" in p for p in problems)


def test_version_and_help():
    assert run("--version").stdout.startswith("motionseg ")
    for command in ([], ["segment"], ["track"], ["demo"]):
        assert "--help" in run(*command, "--help").stdout


# --- settings ----------------------------------------------------------------------------------


def test_settings_become_values():
    assert parse_settings(["a=1", "b=1.5", "c=TRUE", "d=none", "e= word ", "f=1e3"]) == {
        "a": 1, "b": 1.5, "c": True, "d": None, "e": "word", "f": 1000.0,
    }  # fmt: skip


def test_what_is_set_is_what_is_reported():
    segmenter = build_segmenter("knn", {"k": 3, "cleaner.speck": 5, "linker.min_hits": 2, "min_area": 9})
    reported = segmenter_parameters(segmenter)
    assert (reported["k"], reported["cleaner.speck"], reported["linker.min_hits"], reported["min_area"]) == (3, 5, 2, 9)
    assert segmenter_parameters(build_segmenter("knn", reported)) == reported
    with pytest.raises(ParameterError, match="linker kalman_iou has no parameter 'gap'"):
        build_segmenter("knn", {"linker.gap": 3}, linker="kalman_iou")


def test_errors_have_their_codes():
    codes = []
    for error in (ParameterError("x"), SourceError("x", source="s"), OutputError("x"), KeyboardInterrupt()):
        try:
            with manners.errors(False):
                raise error
        except cli.typer.Exit as exit_:
            codes.append(exit_.exit_code)
    assert codes == [2, 3, 4, 130]


def test_offline_is_noted_and_guard_and_camera_can_be_set(clip, tmp_path):
    result = run(
        "segment",
        clip,
        "-o",
        tmp_path / "o",
        "--offline",
        "--model",
        "knn+guard+camera",
        "--json",
        "--set",
        "guard.ghosts=false",
        "--set",
        "camera.model=similarity",
    )
    summary = json.loads(result.stdout)
    assert (summary["offline"], summary["model"]) == (True, "knn+guard+camera")
    parameters = summary["parameters"]
    assert (parameters["guard.ghosts"], parameters["camera.model"], parameters["history"]) == (False, "similarity", 500)


def test_models_shows_the_figures_of_the_last_measurement():
    told = json.loads(run("models", "--json").stdout)
    measured = {row["name"]: row for row in told["models"] if "F" in row}
    assert set(measured) >= {"adaptive", "gaussian_mixture", "knn"}
    assert all(0 < row["F"] < 1 for row in measured.values())
    assert all(measured[name]["fps"] > 1 for name in ("adaptive", "gaussian_mixture", "knn"))
    assert told["measured"]["what"] in run("models").stdout.replace("\n", " ")
