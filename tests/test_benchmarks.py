"""The scripts of benchmarks/ run, on data as small as it gets."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from motionseg.io import write_image

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def run(script, *arguments):
    return subprocess.run([sys.executable, str(BENCHMARKS / script), *map(str, arguments)],
                          capture_output=True, text=True, check=True)  # fmt: skip


def test_quality(tmp_path):
    video = tmp_path / "data/CDnet2014/dataset/baseline/walk"
    for i in range(1, 9):
        truth = np.zeros((40, 60), np.uint8)
        truth[10:30, 4 * i : 4 * i + 12] = 255
        write_image(video / f"input/in{i:06d}.png", np.repeat(truth[..., None] // 2 + 60, 3, axis=2))
        write_image(video / f"groundtruth/gt{i:06d}.png", truth)
    words = ["--data", tmp_path / "data", "--out", tmp_path / "out", "--datasets", "cdnet,flow"]
    done = run("quality.py", *words, "--json", tmp_path / "rows.json")
    assert "flow is left out" in done.stderr
    found = json.loads((tmp_path / "rows.json").read_text())
    assert str(tmp_path) not in json.dumps(found), "folders differ from machine to machine"
    assert {row["method"] for row in found["rows"]} >= {"gaussian_mixture", "auto"}
    assert all(row["error"] is None for row in found["rows"])
    assert (tmp_path / "out/report.html").exists()


def test_speed_and_metrics(tmp_path):
    run(
        "speed.py",
        "knn",
        "--sizes",
        "64x48",
        "--threads",
        "1",
        "--frames",
        3,
        "--rounds",
        2,
        "--out",
        tmp_path / "s.json",
    )
    assert json.loads((tmp_path / "s.json").read_text())["rows"][0]["ratio"] > 0
    run("metrics.py", "--data", tmp_path, "--rounds", 1, "--out", tmp_path / "m.json")
    left_out, *rows = json.loads((tmp_path / "m.json").read_text())["rows"]
    assert left_out["left_out"] == "needs DAVIS below --data"
    assert all("left_out" in row or row["ratio"] > 0 for row in rows)


def test_moving_and_layers(tmp_path):
    small, rows = ["--sizes", "96x64", "--rounds", 1, "--threads", 1, "--out", tmp_path / "rows.json"], {}
    for script, more in (("moving.py", ["--frames", 3]), ("layers.py", ["--layers", 2])):
        run(script, "all", *small, *more)
        found = json.loads((tmp_path / "rows.json").read_text())
        assert found["command"].startswith(f"python benchmarks/{script} all --sizes 96x64")
        rows[script] = {row["what"]: row for row in found["rows"]}
    assert rows["moving.py"].keys() >= {"flow_fused", "naive_flow", "stage: flow", "stage: camera", "stage: clustering"}
    assert all(row["ms"] > 0 for row in rows["moving.py"].values())
    assert rows["layers.py"]["mixture"]["ratio"] > 0


def test_tracking(tmp_path):
    folder = tmp_path / "MOT"
    for name, step in (("TUD-Campus", 3), ("TUD-Stadtmitte", -2)):
        lines = [f"{i},{k},{100 + step * i},{80 * k},30,60,1,-1,-1,-1" for i in range(1, 41) for k in (1, 2)]
        (folder / name).mkdir(parents=True)
        (folder / name / "gt.txt").write_text("\n".join(lines) + "\n")
    words = ["--linkers", "byte,overlap", "--scenes", 1, "--seeds", 1, "--regions", 5, "--rounds", 1]
    rows = {}
    for figure, n in (("boxes", 0), ("crowd", 90), ("meetings", 150), ("segmented", 60), ("speed", 12), ("memory", 40)):
        run("tracking.py", figure, *words, "--frames", n, "--data", tmp_path, "--out", tmp_path / "t.json")
        rows[figure] = json.loads((tmp_path / "t.json").read_text())["rows"]
    true, rough = (
        {r["method"]: r for r in rows["boxes"] if r["boxes"] == kind and r["sequence"] == "both"}
        for kind in ("true", "degraded")
    )
    assert true.keys() == {"byte", "overlap"}
    assert all(row["HOTA"] > 0.9 and row["IDSW"] == 0 for row in true.values())
    assert all(0.3 < rough[name]["HOTA"] < true[name]["HOTA"] for name in true)
    assert all(row["HOTA"] > 0.8 for row in rows["crowd"])
    assert all(0 <= row["kept"] <= row["of"] for row in rows["meetings"])
    assert all(row["HOTA"] <= row["ceiling"] for row in rows["segmented"])
    assert all(row["ms"] > 0 and row["boxes_ms"] > 0 for row in rows["speed"])
    assert {row["method"] for row in rows["memory"]} == {"byte", "overlap"}
    assert all(row["state_bytes"] > 0 for row in rows["memory"])


def test_meetings(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from _meetings import kept_meetings, meetings_in

    truth, components = [], []
    for i in range(80):  # two come, are one from frame 30 to 49, and go on
        labels = np.zeros((6, 100), np.uint8)
        x = min(i, 30) + max(i - 49, 0)
        labels[1:5, x : x + 10], labels[1:5, 80 - x - 10 : 80 - x] = 1, 2
        if 30 <= i < 50:
            labels[1:5, 30:50] = np.repeat([1, 2], 10)
        if i >= 50:
            labels[:] = 0
            labels[1:5, 50 - i + 29 : 50 - i + 39], labels[1:5, i - 8 : i + 2] = 1, 2
        truth.append(labels)
        touching = 30 <= i < 50
        components.append(np.minimum(labels, 1) if touching else labels)
    met = meetings_in(list(zip(truth, components, strict=True)))
    assert met == [{1: (30, 49), 2: (30, 49)}]
    swapped = [labels if i < 40 else np.array([0, 2, 1])[labels] for i, labels in enumerate(truth)]
    one = [np.where(labels == 2, 1, labels) for labels in truth]
    lost = [labels if i < 20 else np.where(labels == 2, 0, labels) for i, labels in enumerate(truth)]
    assert kept_meetings(met, truth, truth) == [True]
    assert [kept_meetings(met, truth, known) for known in (swapped, one, lost)] == [[False]] * 3
    assert meetings_in(list(zip(truth, components, strict=True))[:60]) == [], "they are not apart for long"
