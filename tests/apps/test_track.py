"""`motionseg track`: every file says the same, can be read again, goes on after an interruption and can be joined."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from motionseg.apps import cli, track_job
from motionseg.apps.config import build_linker, build_segmenter, linker_name
from motionseg.apps.segment_job import segment_to_folder
from motionseg.apps.stop import Stop
from motionseg.apps.track_job import link_detections, track_to_folder
from motionseg.core.errors import OutputError, ParameterError
from motionseg.core.rle import decode_rle
from motionseg.core.types import TrackState
from motionseg.datasets import Mot
from motionseg.flow import OpenCVDIS
from motionseg.io import read_coco, read_image, read_mot, read_mots, read_tracks, write_image
from motionseg.track import KalmanIoU, MaskFlow, Overlap

OURS = ["dwell.png", "heat.png", "track_table.csv", "tracks.json", "tracks.txt", "tracks_mots.txt", "trajectories.png"]
N = 70


def run(*arguments):
    return CliRunner().invoke(cli.app, ["track", *(str(a) for a in arguments)])


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two things cross a wall, one each way; the lower one is behind a board in frames 36 to 50 or so."""
    path, rng = tmp_path_factory.mktemp("film"), np.random.default_rng(1)
    wall = np.kron(rng.integers(60, 160, (12, 20, 3)), np.ones((8, 8, 1)))
    for i in range(N):
        frame = wall + rng.normal(0, 2, wall.shape)
        if i >= 15:
            x = 3 * (i - 15)
            frame[12:36, x : x + 16] = (240, 20, 30)
            frame[60:84, max(0, 144 - x) : 160 - x] = (20, 230, 240)
        frame[50:96, 60:88] = wall[50:96, 60:88]  # the board
        write_image(path / f"{i:04d}.png", frame.clip(0, 255).astype(np.uint8))
    return path


SHORT = {"linker.max_gap": 0.3}  # so that the lower one is lost


def job(source, out, *, stop_after=None, tracking=True, settings=SHORT, **options):
    """A run that Ctrl-C ends after some frames."""
    stop = Stop()

    def on_frame(done, _):
        stop.asked |= done == stop_after

    segmenter = build_segmenter("gaussian_mixture", dict(settings), linker="kalman_iou")
    run_ = track_to_folder if tracking else segment_to_folder
    return run_(str(source), out, segmenter=segmenter, masks="none", on_frame=on_frame, stop=stop, **options)


@pytest.fixture(scope="module")
def plain(film, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "out"
    return out, job(film, out)


@pytest.fixture(scope="module")
def joined(film, tmp_path_factory):
    out = tmp_path_factory.mktemp("joined") / "out"
    return out, job(film, out, join=True)


def table_of(out):
    with open(out / "track_table.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def assert_all_files_agree(out):
    """tracks.csv, tracks.txt, tracks_mots.txt, tracks.json and track_table.csv tell of the same tracks."""
    tracks, boxes, masks = (
        read_tracks(out / "tracks.csv"),
        read_mot(out / "tracks.txt"),
        read_mots(out / "tracks_mots.txt"),
    )
    results = read_coco(out / "tracks.json")
    told = {
        (index, id): box
        for index, of in tracks.items()
        for id, box in zip(of.visible.ids.tolist(), of.visible.boxes, strict=True)
    }
    assert len(told) > 50
    assert sorted(zip(boxes.frames.tolist(), boxes.ids.tolist(), strict=True)) == sorted(told)
    for frame, id, box in zip(boxes.frames.tolist(), boxes.ids.tolist(), boxes.boxes, strict=True):
        np.testing.assert_allclose(box, told[frame, id], atol=0.006)
    assert sorted(zip(masks.frames.tolist(), masks.numbers.tolist(), strict=True)) == sorted(told)
    assert masks.shape == (96, 160)
    assert {(r["image_id"], r["track_id"]) for r in results} == set(told)
    for result in results:
        pixels = decode_rle(result["segmentation"])
        key = result["image_id"], result["track_id"]
        np.testing.assert_array_equal(pixels, masks.labels(key[0]) == 2000 + key[1])
        ys, xs = np.nonzero(pixels)
        box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        np.testing.assert_allclose(box, told[key], atol=0.01)
        assert result["bbox"] == [box[0], box[1], box[2] - box[0], box[3] - box[1]]
        assert result["area"] == pixels.sum()
    rows = table_of(out)
    counts = {id: sum(1 for _, other in told if other == id) for _, id in told}
    assert {int(row["id"]): int(row["seen"]) for row in rows} == counts
    for row in rows:
        frames = [frame for frame, id in told if id == int(row["id"])]
        assert (int(row["first_frame"]), int(row["last_frame"])) == (min(frames), max(frames))


# --- what is written ---------------------------------------------------------------------------


def test_track_writes_what_segment_does_and_more(film, tmp_path):
    result = run(film, "-o", tmp_path / "out", "--overlay", "--json", "--model", "gaussian_mixture")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["files"] == sorted(["masks", "overlay.mp4", "tracks.csv", *OURS])
    assert (summary["frames"], summary["complete"], summary["tracking"]) == (N, True, True)
    assert len(list((tmp_path / "out" / "masks").iterdir())) == N
    assert "joined" not in summary
    text = run(
        film, "-o", tmp_path / "out", "--overwrite", "--stitch", "--masks", "none", "--model", "gaussian_mixture"
    )
    assert text.exit_code == 0, text.output
    assert "joined to earlier ones" in text.stdout


def test_all_files_tell_of_the_same_tracks(plain):
    out, summary = plain
    assert_all_files_agree(out)
    rows = table_of(out)
    assert summary["tracks"] == len(rows) == 3
    up = next(row for row in rows if int(row["seen"]) > 40)
    path, seconds = float(up["path"]), float(up["last_time"]) - float(up["first_time"])
    np.testing.assert_allclose(path / seconds, 75, rtol=0.1)  # 3 pixels a frame, 25 frames a second
    np.testing.assert_allclose(float(up["speed"]), path / seconds, rtol=1e-3)
    assert float(up["heading"]) in (pytest.approx(0, abs=3), pytest.approx(360, abs=3))
    assert float(up["b"]) > 180 > 100 > float(up["g"])
    left = [row for row in rows if row is not up]
    assert all(float(row["heading"]) == pytest.approx(180, abs=4) for row in left)
    assert all(float(row["r"]) > 180 > 100 > float(row["b"]) for row in left)


def test_the_pictures_show_where_it_was(plain):
    out, _ = plain
    heat, dwell, ways = (read_image(out / f"{name}.png") for name in ("heat", "dwell", "trajectories"))
    assert ways.shape == (96, 160, 3)
    assert heat.shape[0] == dwell.shape[0] == 96
    for picture in (heat, dwell):
        colorful = np.ptp(picture[:, :160].astype(int), axis=2) > 40
        assert colorful[20:30, 40:140].mean() > 0.9  # where the upper one went
        assert not colorful[40:56].any()
        assert not colorful[60:84, 64:84].any()  # the board
    assert (np.ptp(ways[30:40].astype(int), axis=2) > 100).any()
    assert not (np.ptp(ways[42:56, :110].astype(int), axis=2) > 100).any()


def test_the_same_command_without_tracks_has_the_same_masks_and_table(film, plain, tmp_path):
    job(film, tmp_path / "out", tracking=False)
    assert (tmp_path / "out" / "tracks.csv").read_text() == (plain[0] / "tracks.csv").read_text()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["summary.json", "tracks.csv"]


def test_nothing_moves_and_all_files_are_there(tmp_path):
    for i in range(5):
        write_image(tmp_path / "in" / f"{i}.png", np.full((40, 60), 90, np.uint8))
    summary = job(tmp_path / "in", tmp_path / "out", join=True)
    assert (summary["tracks"], summary["joined"]) == (0, 0)
    assert summary["files"] == ["dwell.png", "heat.png", "track_table.csv", "tracks.csv", "tracks.json", "tracks.txt",
                                "tracks_mots.txt", "trajectories.png"]  # fmt: skip
    out = tmp_path / "out"
    assert (len(read_mot(out / "tracks.txt")), len(read_mots(out / "tracks_mots.txt"))) == (0, 0)
    assert (read_coco(out / "tracks.json"), read_tracks(out / "tracks.csv"), table_of(out)) == ([], {}, [])


@pytest.mark.parametrize(("model", "offline"), [("naive_flow", False), ("knn", True), ("opencv_mog2", False)])
def test_any_model_has_pictures(film, tmp_path, model, offline):
    """Before a camera that moves there is no empty scene to draw on: the last frame takes its place."""
    options = ["--offline"] if offline else []
    result = run(film, "-o", tmp_path / "out", "--model", model, "--masks", "none", "--end", "0.8", *options)
    assert result.exit_code == 0, result.output
    ways, last = (read_image(path, grey=True) for path in (tmp_path / "out" / "trajectories.png", film / "0019.png"))
    assert ways.shape == last.shape
    alike = np.abs(ways - 0.55 * last) < 8  # darkened; the rest is trajectories
    assert alike.mean() > 0.5


# --- joined ------------------------------------------------------------------------------------


def test_stitch_joins_the_broken_one_in_all_files(plain, joined):
    out, summary = joined
    assert (plain[1]["tracks"], summary["tracks"], summary["joined"]) == (3, 2, 1)
    assert_all_files_agree(out)
    assert len(table_of(out)) == 2
    of = read_tracks(out / "tracks.csv")
    lower = next(int(row["id"]) for row in table_of(out) if float(row["r"]) > 180)
    there = [index for index, tracks in of.items() if lower in tracks.ids[tracks.states != TrackState.GONE]]
    row = next(row for row in table_of(out) if int(row["id"]) == lower)
    first, last = int(row["first_frame"]), int(row["last_frame"])
    assert [index for index in there if index <= last] == list(range(first, last + 1))  # the gap is filled
    assert not [p.name for p in out.iterdir() if p.name.startswith(".")]
    seen = {path.name: len(path.read_text().splitlines()) for path in out.glob("*.txt")}
    assert seen == {path.name: len(path.read_text().splitlines()) for path in plain[0].glob("*.txt")}


# --- going on ----------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [5, 30, 45])
@pytest.mark.parametrize("join", [False, True])
def test_an_interrupted_run_ends_as_if_nothing_had_happened(film, plain, joined, tmp_path, stop_after, join):
    out, (whole, told) = tmp_path / "out", joined if join else plain
    part = job(film, out, stop_after=stop_after, join=join)
    assert (part["frames"], part["complete"], part["error"]) == (stop_after, False, "interrupted")
    assert set(OURS) <= set(part["files"])
    assert "joined" not in part
    assert all(index < stop_after for index in read_tracks(out / "tracks.csv"))
    summary = job(film, out, resume=True, join=join)
    assert (summary["complete"], summary["tracks"]) == (True, told["tracks"])
    assert summary.get("joined") == told.get("joined")
    for path in whole.iterdir():
        if path.name != "summary.json":
            assert (out / path.name).read_bytes() == path.read_bytes(), path.name
    assert not (out / "state.npz").exists()


def test_what_was_not_tracked_cannot_go_on_tracked(film, tmp_path):
    out = tmp_path / "out"
    job(film, out, stop_after=5, tracking=False)
    with pytest.raises(ParameterError, match="had tracking False, so it cannot go on with True"):
        job(film, out, resume=True)
    job(film, out, stop_after=5, overwrite=True)
    with pytest.raises(ParameterError, match="had tracking True, so it cannot go on with False"):
        job(film, out, resume=True, tracking=False)


def test_another_linker_cannot_go_on(film, tmp_path):
    out = tmp_path / "out"
    job(film, out, stop_after=5)
    result = run(film, "-o", out, "--resume", "--linker", "overlap", "--model", "gaussian_mixture")
    assert result.exit_code == 2
    assert "had linker kalman_iou, so it cannot go on with overlap" in result.stderr.replace("\n", " ")


def test_a_table_that_cannot_be_written_is_told_and_the_run_can_be_finished(film, plain, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def full(path, columns):
        raise OutputError(f"{path}: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(track_job, "write_columns", full)
        with pytest.raises(OutputError, match=r"track_table\.csv: No space"):
            job(film, out)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["complete"], summary["frames"]) == (False, N)
    assert job(film, out, resume=True)["complete"] is True
    for name in OURS:
        assert (out / name).read_bytes() == (plain[0] / name).read_bytes(), name


def test_overwrite_clears_all_of_it_and_nothing_else(film, tmp_path):
    out = tmp_path / "out"
    job(film, out)
    (out / "tracks.doc").write_text("mine")
    with pytest.raises(ParameterError, match="not empty"):
        job(film, out)
    job(film, out, tracking=False, overwrite=True)
    assert sorted(p.name for p in out.iterdir()) == ["summary.json", "tracks.csv", "tracks.doc"]


# --- linkers -----------------------------------------------------------------------------------


def test_the_linker_is_chosen_by_name(film, tmp_path):
    result = run(
        film, "-o", tmp_path / "o", "--linker", "overlap", "--set", "linker.min_hits=2", "--json", "--masks", "none"
    )
    summary = json.loads(result.stdout)
    assert summary["linker"] == "overlap"
    assert summary["parameters"]["linker.min_hits"] == 2
    assert "linker.margin" not in summary["parameters"]
    assert type(build_segmenter(linker="overlap").linker) is Overlap
    assert [linker_name(x) for x in (Overlap(), None)] == ["overlap", None]
    assert build_segmenter(linker="overlap").estimator is None


def test_linkers_that_carry_masks_along_are_given_flow():
    segmenter = build_segmenter(linker="mask_flow")
    assert isinstance(segmenter.linker, MaskFlow)
    assert isinstance(segmenter.estimator, OpenCVDIS)
    assert build_segmenter(linker="centroid").estimator is None


def test_a_linker_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_linker_of_test_track.py").write_text(
        "from motionseg.track import Centroid\nclass Mine(Centroid):\n    pass\nclass Other:\n    pass\n"
    )
    segmenter = build_segmenter(linker="my_linker_of_test_track:Mine", settings={"linker.min_hits": 3})
    assert (linker_name(segmenter.linker), segmenter.linker.min_hits) == ("Mine", 3)
    with pytest.raises(ParameterError, match="is no background model, flow estimator or linker"):
        build_segmenter(linker="my_linker_of_test_track:Other")
    with pytest.raises(ParameterError, match="is no linker"):
        build_segmenter(linker="motionseg.background:KNN")


# --- boxes of others ---------------------------------------------------------------------------


def detections(path, *, gap=(20, 26)):
    """Two boxes that go right and left; in frames `gap` there is none; the ids in the file are nonsense."""
    rng, lines = np.random.default_rng(0), []
    for i in range(40):
        if gap[0] <= i < gap[1]:
            continue
        for x, y in ((10 + 4 * i, 30), (300 - 4 * i, 120)):
            lines.append(f"{i + 1},-1,{x + rng.normal():.2f},{y + rng.normal():.2f},20,40,0.9,-1,-1,-1\n")
    path.write_text("".join(lines[::-1]))  # files need not be sorted
    return path


def test_given_boxes_are_linked(tmp_path):
    given = detections(tmp_path / "det.txt")
    result = run("--detections", given, "-o", tmp_path / "new" / "out.txt", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["frames"], summary["detections"], summary["tracks"], summary["complete"]) == (40, 68, 2, True)
    table = read_mot(tmp_path / "new" / "out.txt")
    assert sorted(set(table.ids.tolist())) == [1, 2]
    for id in (1, 2):
        own = table[table.ids == id]
        assert (np.abs(np.diff(own.boxes[:, 0])) < 40).all()
        assert len({float(np.sign(d)) for d in own.boxes[-1:, 0] - own.boxes[:1, 0]}) == 1
        assert own.frames.tolist() == [i for i in range(1, 40) if not 20 <= i < 26]
    assert "68 boxes, 2 tracks" in run("--detections", given, "-o", tmp_path / "b.txt").stdout


def test_frames_without_boxes_are_time_too(tmp_path):
    given, out = detections(tmp_path / "det.txt"), tmp_path / "out.txt"
    count = {}
    for fps, gap in ((25, 1.0), (25, 0.2), (5, 1.0), (100, 0.2)):
        run("--detections", given, "-o", out, "--fps", fps, "--set", f"max_gap={gap}", "--overwrite")
        count[fps, gap] = len(set(read_mot(out).ids.tolist()))
    assert count == {(25, 1.0): 2, (25, 0.2): 4, (5, 1.0): 4, (100, 0.2): 2}


def test_linker_and_settings_of_given_boxes(tmp_path):
    given = detections(tmp_path / "det.txt")
    for name in ("byte", "observation_centric", "centroid"):
        result = run(
            "--detections", given, "-o", tmp_path / f"{name}.txt", "--linker", name, "--set", "linker.min_hits=1"
        )
        assert result.exit_code == 0, result.output
        assert read_mot(tmp_path / f"{name}.txt").frames.min() == 0
    assert build_linker("centroid", {"min_hits": 2}).min_hits == 2


def test_no_boxes_no_tracks(tmp_path):
    (tmp_path / "det.txt").write_text("\n")
    assert run("--detections", tmp_path / "det.txt", "-o", tmp_path / "out.txt").exit_code == 0
    assert (tmp_path / "out.txt").read_text() == ""


def test_an_interrupted_run_of_boxes_keeps_what_there_is(tmp_path):
    stop = Stop()

    def on_frame(done):
        stop.asked |= done == 10

    out = tmp_path / "out.txt"
    summary = link_detections(detections(tmp_path / "det.txt"), out, linker=KalmanIoU(), on_frame=on_frame, stop=stop)
    assert (summary["complete"], summary["frames"]) == (False, 10)
    assert read_mot(out).frames.max() == 9


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "give a SOURCE"),
        (["film.mp4", "--detections", "det.txt"], 2, "give a SOURCE"),
        (
            ["--detections", "det.txt", "--overlay", "--stitch", "--resize", "99"],
            2,
            "not of --detections: --overlay, --stitch, --resize",
        ),
        (["film.mp4", "--fps", "30"], 2, "--fps is of --detections"),
        (["--detections", "det.txt", "--fps", "0"], 2, "fps"),
        (["--detections", "det.txt", "--linker", "sort"], 2, "there are: "),
        (["--detections", "det.txt", "--set", "speed=1"], 2, "no parameter 'speed'"),
        (["--detections", "no.txt"], 3, "no.txt"),
        (["--detections", "bad.txt"], 3, "bad.txt: line 2"),
        (["--detections", "flat.txt"], 3, "flat.txt, frame 3: a box has no width"),
    ],
)
def test_wrong_use_leaves_nothing(tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    detections(tmp_path / "det.txt")
    (tmp_path / "bad.txt").write_text("1,-1,1,2,3,4,1\nx\n")
    (tmp_path / "flat.txt").write_text("1,-1,1,2,3,4,1\n4,-1,1,2,0,4,1\n")
    result = run(*arguments, "-o", "out.txt", "--json")
    assert result.exit_code == code, result.output
    assert message in json.loads(result.stdout)["error"]
    assert not (tmp_path / "out.txt").exists()


def test_files_that_are_there_are_kept_unless_told(tmp_path):
    given = detections(tmp_path / "det.txt")
    (tmp_path / "out.txt").write_text("mine")
    for out, message in ((tmp_path / "out.txt", "there already"), (tmp_path, "is a folder")):
        result = run("--detections", given, "-o", out)
        assert result.exit_code == 2
        assert message in result.stderr.replace("\n", " ")
    assert run("--detections", given, "-o", given, "--overwrite").exit_code == 2
    assert (tmp_path / "out.txt").read_text() == "mine"
    assert run("--detections", given, "-o", tmp_path / "out.txt", "--overwrite").exit_code == 0
    assert len(read_mot(tmp_path / "out.txt")) > 50


@pytest.mark.data
def test_the_given_boxes_of_a_real_sequence(data_root, tmp_path):
    """As `bench mot` does it: the same linker on the same boxes."""
    for sequence in Mot(data_root / "MOT"):
        truth = data_root / "MOT" / sequence.name
        path = truth / "gt.txt"
        summary = link_detections(path, tmp_path / f"{sequence.name}.txt", linker=KalmanIoU(), fps=sequence.fps)
        assert summary["complete"]
        assert 0.8 * summary["detections"] < summary["boxes"] <= summary["detections"]
