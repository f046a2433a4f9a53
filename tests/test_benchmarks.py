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
