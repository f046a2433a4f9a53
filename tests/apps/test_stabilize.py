"""`motionseg stabilize`: a steady film, a wide picture, and clear refusals."""

import json
from itertools import pairwise

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from motionseg.apps import cli, stabilize_job
from motionseg.apps.stop import Stop
from motionseg.camera import SparseCorners, Stabilizer
from motionseg.core.errors import OutputError, SourceError
from motionseg.io import open_video, read_image, write_image


def run(*arguments):
    return CliRunner().invoke(cli.app, ["stabilize", *(str(a) for a in arguments)])


@pytest.fixture(scope="module")
def shaky(tmp_path_factory):
    path, rng = tmp_path_factory.mktemp("shaky"), np.random.default_rng(0)
    world = cv2.GaussianBlur(rng.integers(0, 256, (130, 230, 3), np.uint8), (0, 0), 2) * np.uint8(2)
    for i, (a, b) in enumerate(rng.integers(-4, 5, (16, 2))):
        write_image(path / f"{i:04d}.png", world[12 + b : 108 + b, 5 + a + 3 * i : 133 + a + 3 * i])
    return path


def unrest(frames):
    """How unevenly a film moves: second differences of its path, pixels."""
    steps = [SparseCorners(model="translation").estimate(a, b).transform[:2, 2] for a, b in pairwise(frames)]
    return np.abs(np.diff(steps, axis=0)).mean()


def test_a_film_becomes_steady(shaky, tmp_path):
    result = run(shaky, tmp_path / "steady.mp4", "--smoothness", 4, "--mosaic", tmp_path / "wide.png", "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["frames"], summary["followed"], summary["in_mosaic"], summary["complete"]) == (16, 16, 16, True)
    with open_video(tmp_path / "steady.mp4") as video:
        times, steady = zip(*((t, f) for _, t, f in video), strict=True)
    with open_video(shaky) as video:
        raw = [f for _, _, f in video]
    assert len(steady) == 16
    np.testing.assert_allclose(np.diff(times), 1 / 25, atol=1e-3)
    assert unrest(steady) < unrest(raw) / 2.5
    assert read_image(tmp_path / "wide.png").shape[1] > 165


def test_pictures_into_a_folder_of_its_own(shaky, tmp_path):
    assert run(shaky, tmp_path / "out", "--end", 0.2, "--zoom", 1.1, "--border", "black").exit_code == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{i:06d}.png" for i in range(5)]
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert run(shaky, tmp_path / "out").exit_code == 2
    result = run(shaky, tmp_path / "out", "--end", 0.12, "--overwrite")
    assert result.exit_code == 0
    assert result.stdout.startswith("3 frames")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [*(f"{i:06d}.png" for i in range(3)), "notes.txt"]


def test_refusals_name_what_is_wrong(shaky, tmp_path):
    film = tmp_path / "there.mp4"
    film.write_bytes(b"old")
    for arguments, code, words in (
        ((shaky, film), 2, "--overwrite"),
        ((shaky, shaky, "--overwrite"), 2, "source"),
        ((shaky, shaky.parent, "--overwrite"), 2, "source"),
        ((film, film, "--overwrite"), 2, "source"),
        ((shaky, tmp_path / "x.xyz"), 2, ".mp4"),
        ((shaky, tmp_path / "x.mp4", "--mosaic", tmp_path / "x.bmp"), 2, ".png"),
        ((shaky, tmp_path / "x.mp4", "--mosaic", film.with_suffix(".mp4")), 2, "mosaic"),
        ((shaky, tmp_path / "x.mp4", "--smoothness", 0), 2, "smoothness"),
        ((shaky, tmp_path / "x.mp4", "--model", "cubic"), 2, "model"),
        ((tmp_path / "none.mp4", tmp_path / "x.mp4"), 3, "none.mp4"),
    ):
        result = run(*arguments)
        assert result.exit_code == code, arguments
        assert words in result.stderr, result.stderr
    assert film.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["there.mp4"]


def test_a_stop_keeps_what_was_read(shaky, tmp_path):
    stop = Stop()

    def ask(done):
        stop.asked = True

    summary = stabilize_job.stabilize_to(
        str(shaky), tmp_path / "cut.mp4", stabilizer=Stabilizer(smoothness=1), on_frame=ask, stop=stop
    )
    assert not summary["complete"]
    assert 0 < summary["frames"] < 16
    with open_video(tmp_path / "cut.mp4") as video:
        assert len(list(video)) == summary["frames"]


def test_a_source_that_breaks_off_and_a_full_disk(shaky, tmp_path, monkeypatch):
    broken = tmp_path / "broken"
    for i, path in enumerate(sorted(shaky.iterdir())[:6]):
        write_image(broken / path.name, read_image(path))
        if i == 4:
            (broken / path.name).write_bytes(b"no picture")
    with pytest.raises(SourceError, match="0004"):
        stabilize_job.stabilize_to(str(broken), tmp_path / "part.mp4", stabilizer=Stabilizer())
    with open_video(tmp_path / "part.mp4") as video:
        assert len(list(video)) == 4

    def full(path, image):
        raise OutputError(f"{path}: no space")

    monkeypatch.setattr(stabilize_job, "write_image", full)
    with pytest.raises(OutputError, match="no space"):
        stabilize_job.stabilize_to(str(shaky), tmp_path / "pictures", stabilizer=Stabilizer())
