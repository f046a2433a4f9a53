import json
import os
import re
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import motionseg
from motionseg.apps import cli
from motionseg.background import FrameDifference
from motionseg.datasets import CDnet
from motionseg.io import read_image, write_image, write_labels
from motionseg.metrics import ChangeCounts, count_change
from motionseg.pipeline import Run


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def make_video(folder, n=12, first=5, shape=(48, 64), size=12):
    """A video in CDnet's layout: a box crosses a wall."""
    wall = np.random.default_rng(1).integers(60, 160, (*shape, 3)).astype(np.uint8)
    for i in range(n):
        frame, truth = wall.copy(), np.zeros(shape, np.uint8)
        frame[10:30, 3 * i : 3 * i + size] = (240, 20, 30)
        truth[10:30, 3 * i : 3 * i + size] = 255
        write_image(folder / "input" / f"in{i + 1:06d}.png", frame)
        write_image(folder / "groundtruth" / f"gt{i + 1:06d}.png", truth)
    (folder / "temporalROI.txt").write_text(f"{first} {n}\n")
    cv2.imwrite(str(folder / "ROI.bmp"), np.full(shape, 255, np.uint8))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("cdnet")
    make_video(root / "baseline" / "walk")
    make_video(root / "baseline" / "run", size=20)
    make_video(root / "shadow" / "stroll", n=9)
    return root


def rows(result):
    return {(row["method"], row["sequence"]): row for row in json.loads(result.stdout)["rows"]}


# --- bench -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def benched(root, tmp_path_factory):
    """One run that several tests look at."""
    out = tmp_path_factory.mktemp("bench") / "out"
    result = run("bench", "cdnet", root, "-o", out, "--methods", "frame_difference,sigma_delta", "--jobs", 2,
                 "--set", "frame_difference.threshold=30", "--save-masks", "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    return out, result


def test_rows_are_the_official_counts(root, benched):
    _, result = benched
    counts, model, sequence = ChangeCounts(), FrameDifference(threshold=30), CDnet(root)["walk"]
    for index, frame in enumerate(sequence.frames):
        mask = model.apply(frame)
        if index >= 4:
            counts += count_change(mask, sequence.truth[index])
    row = rows(result)["frame_difference", "walk"]
    assert row["F"] == pytest.approx(counts.f_measure)
    assert row["Re"] == pytest.approx(counts.recall)
    assert (row["dataset"], row["category"], row["judged"], row["error"]) == ("cdnet", "baseline", 8, None)
    assert row["fps"] > 0
    assert sys.platform != "linux" or row["peak_memory_mb"] > 20
    assert len(rows(result)) == 6


def test_means_are_made_by_category_first(benched):
    _, result = benched
    mean, table = json.loads(result.stdout)["means"]["sigma_delta"], rows(result)
    baseline = (table["sigma_delta", "walk"]["F"] + table["sigma_delta", "run"]["F"]) / 2
    assert mean["categories"]["baseline"]["F"] == pytest.approx(baseline)
    assert mean["overall"]["F"] == pytest.approx((baseline + table["sigma_delta", "stroll"]["F"]) / 2)
    assert (mean["sequences"], mean["failed"]) == (3, 0)


def test_what_is_left_in_the_folder(benched):
    out, result = benched
    record = json.loads((out / "rows/frame_difference/baseline/walk.json").read_text())
    assert record["parameters"]["threshold"] == 30
    assert record["threads"] == max(1, motionseg.get_num_threads() // 2), "two jobs share them"
    assert record["counts"]["tp"] + record["counts"]["fn"] == 8 * 20 * 12
    assert json.loads((out / "summary.json").read_text()) == json.loads(result.stdout)
    for frame in record["worst"]:
        assert read_image(out / frame["picture"]).shape[1] >= 4 * 64
    masks = sorted((out / "results/sigma_delta/shadow/stroll").iterdir())
    assert [m.name for m in masks] == [f"bin{i:06d}.png" for i in range(1, 10)]
    assert set(np.unique(read_image(masks[-1], grey=True))) <= {0, 255}


def test_saved_masks_score_the_same(root, benched, tmp_path):
    out, result = benched
    scored = run("score", "cdnet", root, out / "results/sigma_delta", "-o", tmp_path / "s", "--json")
    assert scored.exit_code == 0, scored.output
    for name in ("walk", "run", "stroll"):
        mine, theirs = rows(scored)["sigma_delta", name], rows(result)["sigma_delta", name]
        assert {k: mine[k] for k in ("F", "Re", "Pr", "PWC")} == {k: theirs[k] for k in ("F", "Re", "Pr", "PWC")}
    assert (tmp_path / "s/rows/sigma_delta/shadow/stroll.json").exists()


@pytest.mark.slow
def test_resume_redoes_nothing_and_mends_what_failed(root, tmp_path):
    out, arguments = tmp_path / "out", ["--methods", "frame_difference", "--json"]
    first = run("bench", "cdnet", root, "-o", out, *arguments, "--sequences", "walk,shadow/stroll")
    kept = out / "rows/frame_difference/baseline/walk.json"
    before, record = kept.stat().st_mtime_ns, out / "rows/frame_difference/shadow/stroll.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "error": "the power failed"}))
    (out / "rows/frame_difference/baseline/run.json").write_text("{cut short")
    assert run("bench", "cdnet", root, "-o", out, *arguments).exit_code == 2, "a folder that is not empty"
    again = run("bench", "cdnet", root, "-o", out, *arguments, "--resume")
    assert again.exit_code == 0, again.output
    assert kept.stat().st_mtime_ns == before
    assert rows(again)["frame_difference", "stroll"]["F"] == rows(first)["frame_difference", "stroll"]["F"]
    assert len(rows(again)) == 3
    other = run("bench", "cdnet", root, "-o", out, *arguments, "--resume", "--set", "frame_difference.threshold=9")
    assert other.exit_code == 2
    assert "other parameters" in other.stderr


def test_resume_knows_parameters_that_are_tuples(root, tmp_path):
    words = ["bench", "cdnet", root, "-o", tmp_path / "out", "--methods", "consensus", "--sequences", "walk"]
    assert run(*words).exit_code == 0
    again = run(*words, "--resume")
    assert again.exit_code == 0, again.output


def test_a_model_of_ones_own(root, tmp_path, monkeypatch):
    (tmp_path / "own_model.py").write_text(
        "from motionseg.background import FrameDifference\n\n\nclass Mine(FrameDifference):\n    pass\n\n\nother = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    arguments = ["-o", tmp_path / "out", "--sequences", "walk", "--json"]
    methods = ["--methods", "own_model:Mine,frame_difference", "--set", "own_model:Mine.threshold=25.0"]
    result = run("bench", "cdnet", root, *arguments, *methods)
    assert result.exit_code == 0, result.output
    assert rows(result)["own_model:Mine", "walk"]["F"] == rows(result)["frame_difference", "walk"]["F"]
    assert (tmp_path / "out/rows/own_model.Mine/baseline/walk.json").exists()
    for method, message in (
        ("own_model:Yours", "no class 'Yours'"),
        ("no_such:A", "no_such"),
        ("own_model:other", "is no"),
    ):
        wrong = run("bench", "cdnet", root, "-o", tmp_path / "other", "--methods", method)
        assert (wrong.exit_code, message in wrong.stderr.replace("\n", " ")) == (2, True)


def test_a_process_that_dies_without_a_word_is_a_row(root, tmp_path, monkeypatch):
    (tmp_path / "dying_model.py").write_text(
        "import os\nfrom motionseg.background import FrameDifference\n\n\nclass Dies(FrameDifference):\n"
        "    def apply(self, frame, **more):\n        os._exit(7)\n"
    )
    monkeypatch.chdir(tmp_path)
    words = ["--methods", "dying_model:Dies,frame_difference", "--sequences", "walk", "--json"]
    result = run("bench", "cdnet", root, "-o", tmp_path / "out", *words)
    assert result.exit_code == 3
    assert rows(result)["dying_model:Dies", "walk"]["error"] == "the process ended with exit code 7"
    assert rows(result)["frame_difference", "walk"]["error"] is None


def test_a_failing_sequence_is_a_row_and_exit_code_3(root, tmp_path):
    damaged = tmp_path / "data"
    make_video(damaged / "baseline" / "whole")
    make_video(damaged / "baseline" / "broken")
    for path in (damaged / "baseline/broken/groundtruth").iterdir():
        path.write_bytes(b"no picture")
    one = damaged / "baseline/whole/groundtruth/gt000007.png"
    one.write_bytes(one.read_bytes()[:40])
    result = run("bench", "cdnet", damaged, "-o", tmp_path / "out", "--methods", "frame_difference", "--json")
    assert result.exit_code == 3
    table = rows(result)
    assert "no frame could be judged" in table["frame_difference", "broken"]["error"]
    assert "gt000005.png" in table["frame_difference", "broken"]["error"]
    assert table["frame_difference", "whole"]["judged"] == 7
    (problem,) = table["frame_difference", "whole"]["problems"]
    assert "gt000007.png" in problem
    assert "damaged" in result.stderr
    assert "broken" in result.stderr
    assert json.loads(result.stdout)["means"]["frame_difference"]["failed"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--methods", "subsens"], 2, "there are: adaptive, "),
        (["--methods", "knn+sharp"], 2, "only +guard"),
        (["--sequences", "jog"], 2, "there are: baseline/run, baseline/walk"),
        (["--set", "threshold=3"], 2, "method.parameter=value"),
        (["--set", "auto.speed=3"], 2, "history=1000"),
        (["--methods", ","], 2, "no method is named"),
        (["--sequences", ","], 2, "no sequence is named"),
        (["--resume", "--overwrite"], 2, "give one"),
        (["--jobs", "0"], 2, "--jobs"),
    ],
)
def test_wrong_use_leaves_nothing(root, tmp_path, arguments, code, message):
    result = run("bench", "cdnet", root, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == code
    assert message in result.stderr.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_wrong_folders(tmp_path):
    for words in (["cdnet", tmp_path / "no"], ["cdnet", tmp_path], ["davis2016", tmp_path]):
        result = run("bench", *words, "-o", tmp_path / "out")
        assert result.exit_code == 3
        assert "looked for" in result.stderr or "no such folder" in result.stderr
    missing = run("bench", "cdnet", "-o", tmp_path / "out")
    assert (missing.exit_code, "give its ROOT" in missing.stderr) == (2, True)
    assert "there is no dataset 'cdnot'" in run("bench", "cdnot", tmp_path, "-o", tmp_path / "out").stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.slow
def test_an_interrupted_run_goes_on(tmp_path):
    command = [sys.executable, "-m", "motionseg", "bench", "synthetic", "-o", str(tmp_path / "out"), "--json",
               "--methods", "frame_difference", "--sequences", "baseline_1,shadow_1,noise_1"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = tmp_path / "out/rows/frame_difference/baseline/baseline_1.json"
    for _ in range(600):
        if first.exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    summary, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "--resume goes on" in errors
    assert json.loads(summary)["complete"] is False
    before = first.stat().st_mtime_ns
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=True)
    assert len(json.loads(done.stdout)["rows"]) == 3
    assert first.stat().st_mtime_ns == before


# --- score -------------------------------------------------------------------------------------


def test_score_names_missing_results_and_goes_on(root, tmp_path):
    results = tmp_path / "mine"
    for i in range(1, 13):
        truth = read_image(root / f"baseline/walk/groundtruth/gt{i:06d}.png", grey=True)
        write_image(results / f"baseline/walk/bin{i:06d}.png", truth)
    write_image(results / "baseline/run/bin000005.png", truth)
    (results / "timing.json").write_text(json.dumps({"baseline/walk": {"fps": 12.5}}))
    result = run("score", "cdnet", root, results, "--name", "perfect", "--json")
    assert result.exit_code == 3
    table = rows(result)
    assert (table["perfect", "walk"]["F"], table["perfect", "walk"]["fps"]) == (1, 12.5)
    assert "7 of 8 results are missing" in table["perfect", "run"]["error"]
    assert "bin000006.png" in table["perfect", "run"]["error"]
    assert "5 of 5 results are missing" in table["perfect", "stroll"]["error"]
    assert run("score", "cdnet", root, tmp_path / "none").exit_code == 3
    for i in range(1, 13):
        write_image(results / f"baseline/walk/bin{i:06d}.png", np.eye(48, 64, dtype=np.uint8))
    ones = run("score", "cdnet", root, results, "--sequences", "walk")
    assert ones.exit_code == 3
    assert "bin000005.png: foreground is 255 in this benchmark, the highest value here is 1" in ones.stderr


# --- report ------------------------------------------------------------------------------------


def test_report_is_one_page_with_everything_in_it(benched, tmp_path):
    out, _ = benched
    result = run("report", out, "-o", tmp_path, "--baseline", "frame_difference", "--json")
    assert result.exit_code == 0, result.output
    page, text = (tmp_path / "report.html").read_text(), (tmp_path / "report.md").read_text()
    assert json.loads(result.stdout)["files"] == [str(tmp_path / "report.html"), str(tmp_path / "report.md")]
    assert page.count("<svg") == 2
    assert page.count("data:image/jpeg;base64,") >= 6
    assert re.findall(r"""(?:src|href)=["'](?!data:|#)""", page) == [], "it needs nothing beside itself"
    for word in ("frame_difference", "sigma_delta", "rank", "frames/s", "walk", "difference to the baseline"):
        assert word in page
        assert word in text or word == "frames/s"
    assert "| method | F |" in text


@pytest.mark.slow
def test_report_of_two_runs_tells_their_methods_apart(root, benched, tmp_path):
    out, _ = benched
    other = tmp_path / "other"
    arguments = ["--methods", "frame_difference", "--set", "frame_difference.threshold=60"]
    assert run("bench", "cdnet", root, "-o", other, *arguments).exit_code == 0
    assert run("report", out, other, "-o", tmp_path, "--baseline", out).exit_code == 0
    text = (tmp_path / "report.md").read_text()
    assert "frame_difference (out)" in text
    assert "frame_difference (other)" in text
    assert "sigma_delta (" not in text
    records = [json.loads((d / "rows/frame_difference/baseline/walk.json").read_text()) for d in (other, out)]
    change = records[0]["metrics"]["F"] - records[1]["metrics"]["F"]
    assert f"| baseline/walk | {change:+.3f} |" in text


def test_report_of_nothing(tmp_path):
    result = run("report", tmp_path)
    assert result.exit_code == 3
    assert "looked for rows/METHOD/SEQUENCE.json" in result.stderr
    (tmp_path / "rows/knn").mkdir(parents=True)
    (tmp_path / "rows/knn/walk.json").write_text("{")
    assert "walk.json: not a readable record" in run("report", tmp_path).stderr


def test_report_says_what_it_needs(benched, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    result = run("report", benched[0], "-o", tmp_path)
    assert (result.exit_code, "pip install jinja2 matplotlib" in result.stderr) == (2, True)


def test_report_with_a_baseline_that_is_not_there(benched, tmp_path):
    result = run("report", benched[0], "-o", tmp_path, "--baseline", "mog")
    assert (result.exit_code, "not 'mog'" in result.stderr) == (2, True)


# --- datasets ----------------------------------------------------------------------------------


def test_datasets_are_listed():
    listed = {row["name"]: row for row in json.loads(run("datasets", "--json").stdout)["datasets"]}
    keys = "cdnet sbi2015 davis2016 davis2017 moseg segtrack lasiesta ucsd wallflower mot flow folder synthetic crowds"
    assert sorted(listed) == sorted([*keys.split(), "labelled_folder"])
    for row in listed.values():
        assert all(row[fact] for fact in ("title", "layout", "home", "citation", "licence", "task"))
    assert "temporalROI.txt" in run("datasets").stdout


def test_a_run_is_iterated_over_once_for_all_frames(root):
    assert [index for index, _ in Run(CDnet(root)["walk"], FrameDifference(), task="change")] == list(range(12))


@pytest.mark.slow
def test_objects_of_davis_2017_with_the_default_pipeline(tmp_path):
    """Two things that meet and part: each object of the truth is one track of `segment`'s own pipeline."""
    wall = np.random.default_rng(1).integers(90, 130, (96, 160, 3)).astype(np.uint8)
    for i in range(70):
        frame, truth = wall.copy(), np.zeros((96, 160), np.int32)
        k = max(i - 15, 0)
        for number, (x, y, color) in enumerate(((4 + 2 * k, 30, (30, 40, 220)), (130 - 2 * k, 40, (210, 60, 30))), 1):
            if i >= 15:
                frame[y : y + 24, max(x, 0) : x + 18], truth[y : y + 24, max(x, 0) : x + 18] = color, number
        write_image(tmp_path / "JPEGImages" / "480p" / "meeting" / f"{i:05d}.png", frame)
        write_labels(tmp_path / "Annotations_unsupervised" / "480p" / "meeting" / f"{i:05d}.png", truth)
    result = run("bench", "davis2017", tmp_path, "-o", tmp_path / "out", "--methods", "adaptive,auto", "--json")
    assert result.exit_code == 0, result.output
    for method in ("adaptive", "auto"):
        assert rows(result)[method, "meeting"]["J&F"] > 0.75, method
