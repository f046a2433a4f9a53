"""`motionseg events`: every event once and whole, with clip and picture; interrupted, resumed, broken off, misused."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import motionseg
from motionseg.apps import cli, events_job
from motionseg.apps.cli_events import zone_of
from motionseg.apps.config import build_segmenter
from motionseg.apps.events_job import events_to_folder, read_events
from motionseg.apps.service.config import RecordingsSection, parse_config
from motionseg.apps.stop import Stop
from motionseg.core.errors import OutputError, ParameterError, SourceError
from motionseg.events import AnyMotion, Cross, Enter, EventDetector, Line, Zone
from motionseg.io import VideoWriter, open_video, read_image, write_image

N, FPS = 90, 25
RIGHT = Zone("right", [(0.5, 0), (1, 0), (1, 1), (0.5, 1)], relative=True)
GATE = Line("gate", [(0.85, 0), (0.85, 1)], sides=("east", "west"), relative=True)


def pictures():
    """A wall; from frame 15 on a thing crosses from the left, until 58; from 72 on one comes back from the right."""
    rng = np.random.default_rng(1)
    wall = np.kron(rng.integers(60, 160, (12, 20, 3)), np.ones((8, 8, 1)))
    for i in range(N):
        frame = wall + rng.normal(0, 1, wall.shape)
        if i >= 15:
            frame[30:60, max(0, 4 * (i - 15) - 16) : 4 * (i - 15)] = (240, 20, 30)
        if i >= 72:
            frame[30:60, 160 - 4 * (i - 71) : 176 - 4 * (i - 71)] = (20, 230, 240)
        yield frame.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "door.mp4"
    with VideoWriter(path, fps=FPS) as writer:
        for i, frame in enumerate(pictures()):
            writer.write(frame, i / FPS)
    return path


@pytest.fixture(scope="module")
def folder_of_images(tmp_path_factory):
    path = tmp_path_factory.mktemp("images")
    for i, frame in enumerate(pictures()):
        write_image(path / f"{i:04d}.png", frame)
    return path


def detector(camera="door", zones=(RIGHT, GATE), rules=None):
    return EventDetector(rules or [Enter(zones="right"), Cross()], zones, camera=camera)


def job(source, out, *, stop_after=None, detect=None, model="gaussian_mixture", pre=0.4, post=0.4, **options):
    """A run that Ctrl-C ends after some frames."""
    stop = Stop()
    recordings = options.pop("recordings", RecordingsSection(pre_roll=pre, post_roll=post, max_length=3))

    def on_frame(done, _):
        stop.asked |= done == stop_after

    segmenter = build_segmenter(model, {"linker.max_gap": 0.2, "min_area": 100}, linker="kalman_iou", explain=True)
    return events_to_folder(
        str(source),
        out,
        segmenter=segmenter,
        detector=detect or detector(),
        recordings=recordings,
        on_frame=on_frame,
        stop=stop,
        **options,
    )


@pytest.fixture(scope="module")
def plain(film, tmp_path_factory):
    out = tmp_path_factory.mktemp("plain") / "out"
    return out, job(film, out)


def facts(events):
    """All of them but what their clip and the machine have a say in."""
    return sorted((event.to_dict() for event in events), key=lambda event: event["id"])


def statistics(out):
    with open(out / "statistics.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_event_is_there_once_and_whole(plain):
    out, summary = plain
    events = read_events(out)
    ids = [event.id for event in events]
    assert len(set(ids)) == len(ids) == summary["n_events"]
    assert all(event.end is not None and 0 <= event.start <= event.end <= N / FPS for event in events)
    crossings = [event.reason["direction"] for event in events if event.rule == "cross"]
    assert crossings == ["east->west", "west->east"] or crossings == ["west->east", "east->west"]
    entered = [event for event in events if event.rule == "enter"]
    assert len(entered) == 2
    assert summary["n_events_by_rule"] == {"cross": 2, "enter": 2}
    assert summary["cut_off"] == [event.id for event in entered if event.reason["ended"] == "closed"] != []
    assert summary["complete"]
    assert summary["without_clip"] == []
    assert {"clips", "events.jsonl", "snapshots", "statistics.csv"} <= set(summary["files"])
    assert json.loads((out / "summary.json").read_text()) == json.loads(json.dumps(summary))


def test_each_has_a_picture_and_a_clip_with_what_was_before_and_after(plain, film):
    out, _ = plain
    events = read_events(out)
    assert sorted(path.stem for path in (out / "clips").iterdir()) == sorted(event.id for event in events)
    assert sorted(path.stem for path in (out / "snapshots").iterdir()) == sorted(event.id for event in events)
    original = {round(time * FPS): frame for _, time, frame in open_video(film)}
    for event in events:
        with open_video(out / "clips" / f"{event.id}.mp4") as clip:
            frames = [frame for _, _, frame in clip]
        first, last = max(event.start - 0.4, 0), min(event.end + 0.4, (N - 1) / FPS)
        assert len(frames) >= (last - first) * FPS - 1
        if event.rule == "enter":
            picture = read_image(out / "snapshots" / f"{event.id}.jpg")
            assert picture.shape[1] == 160
            assert picture.shape[0] > 96
        at_start = original[max(0, round(first * FPS))]
        nearest = min(np.abs(frame.astype(int) - at_start).mean() for frame in frames)
        assert nearest == 0  # copied, not encoded again


def test_there_is_a_row_for_every_frame(plain):
    rows = statistics(plain[0])
    assert [int(row["index"]) for row in rows] == list(range(N))
    np.testing.assert_allclose([float(row["time"]) for row in rows], np.arange(N) / FPS, atol=1e-4)
    shares = np.array([float(row["foreground"]) for row in rows])
    assert shares[25:50].min() > 0.01 > shares[5:14].max()
    assert np.mean([row["regions"] == "1" for row in rows[25:50]]) > 0.8
    assert {"0", "1"} <= {row["open_events"] for row in rows} <= {"0", "1", "2"}
    assert rows[0]["verdict"] == "" == rows[0]["behaviour"]  # this model says neither


@pytest.mark.parametrize("stop_after", [20, 50, 83])
def test_a_run_that_is_resumed_tells_what_one_in_one_piece_tells(plain, film, tmp_path, stop_after):
    out = tmp_path / "out"
    first = job(film, out, stop_after=stop_after)
    assert not first["complete"]
    assert first["frames"] == stop_after
    assert (out / "state.npz").exists()
    assert all(event.end is not None for event in read_events(out))
    summary = job(film, out, resume=True)
    assert summary["complete"]
    assert not (out / "state.npz").exists()
    assert facts(read_events(out)) == facts(read_events(plain[0]))
    assert statistics(out) == statistics(plain[0])
    assert sorted(p.name for p in (out / "clips").iterdir()) == sorted(p.name for p in (plain[0] / "clips").iterdir())
    for path in (plain[0] / "clips").iterdir():
        assert (out / "clips" / path.name).stat().st_size == path.stat().st_size  # those cut short were made anew


def test_what_goes_on_when_a_run_is_interrupted_is_there_and_says_so(film, tmp_path):
    summary = job(film, tmp_path / "out", stop_after=50)
    (event,) = [event for event in read_events(tmp_path / "out") if event.rule == "enter"]
    assert summary["cut_off"] == [event.id]
    assert event.end == pytest.approx(49 / FPS, abs=1e-3)
    assert (tmp_path / "out" / "clips" / f"{event.id}.mp4").exists()


def test_a_run_is_resumed_with_its_own_rules_only(film, tmp_path):
    job(film, tmp_path / "out", stop_after=30)
    with pytest.raises(ParameterError, match="events"):
        job(film, tmp_path / "out", detect=detector(rules=[AnyMotion(zones="right")]), resume=True)
    (tmp_path / "out" / "events.jsonl").unlink()
    for _ in range(2):
        with pytest.raises(OutputError, match=r"events\.jsonl"):
            job(film, tmp_path / "out", resume=True)


def test_images_are_encoded(folder_of_images, tmp_path, plain):
    job(folder_of_images, tmp_path / "out")
    events = read_events(tmp_path / "out")
    assert sorted(event.rule for event in events) == ["cross", "cross", "enter", "enter"]
    for event in events:
        with open_video(tmp_path / "out" / "clips" / f"{event.id}.mp4") as clip:
            n = sum(1 for _ in clip)
        first, last = max(event.start - 0.4, 0), min(event.end + 0.4, (N - 1) / FPS)
        assert n == pytest.approx((last - first) * FPS + 1, abs=2)


def test_a_long_event_has_a_clip_of_its_beginning(film, tmp_path):
    recordings = RecordingsSection(pre_roll=0, post_roll=1, max_length=1, snapshots=False)
    job(film, tmp_path / "out", detect=detector(rules=[Enter()]), recordings=recordings)
    events = [event for event in read_events(tmp_path / "out") if event.end - event.start > 1.5]
    assert len(events) == 1
    with open_video(tmp_path / "out" / "clips" / f"{events[0].id}.mp4") as clip:
        assert (clip.n_frames or 0) < 70  # from the key frame before it, to a second after
    assert not (tmp_path / "out" / "snapshots").exists()


def test_a_source_that_breaks_off_leaves_what_was_seen(film, tmp_path):
    broken = tmp_path / "door.mkv"
    import av

    with av.open(str(film)) as old, av.open(str(broken), "w", format="matroska") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    broken.write_bytes(broken.read_bytes()[: int(broken.stat().st_size * 0.8)])
    with pytest.raises(SourceError):
        job(broken, tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert not summary["complete"]
    assert summary["error"]
    rows = statistics(tmp_path / "out")
    assert 40 < len(rows) == summary["frames"] < N
    events = read_events(tmp_path / "out")
    assert summary["n_events"] == len(events) >= 1


def test_fewer_frames_a_second(film, tmp_path):
    summary = job(film, tmp_path / "out", max_fps=10)
    times = [float(row["time"]) for row in statistics(tmp_path / "out")]
    assert summary["frames"] == len(times) == pytest.approx(N / FPS * 10, abs=1)
    assert min(np.diff(times)) > 0.07
    half = job(film, tmp_path / "half", max_fps=10, stop_after=15)
    assert half["frames"] == 15
    job(film, tmp_path / "half", max_fps=10, resume=True)
    assert statistics(tmp_path / "half") == statistics(tmp_path / "out")


def test_a_full_disk_is_an_output_error(film, tmp_path, monkeypatch):
    def full(*_):
        raise OutputError("no space left on device")

    monkeypatch.setattr(events_job, "write_image", full)
    with pytest.raises(OutputError, match="no space"):
        job(film, tmp_path / "out")
    assert len(statistics(tmp_path / "out")) > 20
    assert not (tmp_path / "out" / "state.npz").exists()


def test_only_results_are_replaced(film, tmp_path):
    out = tmp_path / "out"
    job(film, out, stop_after=60)
    (out / "clips" / "holiday.mp4").write_bytes(b"mine")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ParameterError, match="not empty"):
        job(film, out)
    stale = out / "clips" / "old-1-1.mp4"
    stale.write_bytes(b"of an earlier run")
    job(film, out, overwrite=True)
    assert not stale.exists()
    assert (out / "clips" / "holiday.mp4").read_bytes() == b"mine"
    assert (out / "notes.txt").exists()
    assert len({event.id for event in read_events(out)}) == len(read_events(out)) == 4


def test_lines_that_are_no_events_are_named(tmp_path):
    with pytest.raises(SourceError, match=r"events\.jsonl"):
        read_events(tmp_path)
    (tmp_path / "events.jsonl").write_text('{"id": 3}\n')
    with pytest.raises(SourceError, match="facts"):
        read_events(tmp_path)


# --- the command -----------------------------------------------------------------------------------

CONFIG = """
[recordings]
pre_roll = 0.2
post_roll = 0.2
[[camera]]
name = "door"
source = "rtsp://user:geheim@10.0.0.1/door"
model = "gaussian_mixture"
linker = "kalman_iou"
width = 80
settings = {min_area = 25}
[[camera.zone]]
name = "right"
points = [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]
[[camera]]
name = "yard"
source = "0"
"""


def run(*arguments):
    return CliRunner().invoke(cli.app, ["events", *(str(a) for a in arguments)])


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "cameras.toml"
    path.write_text(CONFIG)
    return path


def test_the_command_sees_as_the_camera_of_a_config(film, config, tmp_path):
    result = run(film, "--config", config, "--camera", "door", "-o", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["model"] == "gaussian_mixture"
    assert told["width"] == 80
    assert {event["zone"] for event in told["events"]} == {"right"}
    assert {event["camera"] for event in told["events"]} == {"door"}
    assert told["n_events"] == len(told["events"]) > 0
    assert "geheim" not in result.output + (tmp_path / "out" / "summary.json").read_text()


def test_the_command_without_a_config(film, tmp_path):
    zone, rule = "left half:0,0 0.5,0 0.5,1 0,1", "any_motion:name=stir,share=0.02,min_duration=0.1,zones=left half"
    result = run(film, "-o", tmp_path / "out", "--zone", zone, "--rule", rule, "--camera", "porch", "--end", "3")
    assert result.exit_code == 0, result.output
    events = read_events(tmp_path / "out")
    assert {(event.camera, event.rule, event.zone) for event in events} == {("porch", "stir", "left half")}
    assert "stir" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--zone", "yard"), "NAME:X,Y"),
        (("--zone", "yard:0,0 1,1"), "corners"),
        (("--zone", "yard:0,0 1,nan 1,1"), "finite"),
        (("--rule", "entre"), "did you mean 'enter'"),
        (("--rule", "enter:zones=nowhere"), "nowhere"),
        (("--rule", "enter:min_area=-1"), "min_area"),
        (("--camera", "../x"), "name"),
        (("--resume", "--overwrite"), "give one"),
        (("--config", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_wrong_use_ends_with_2_and_a_line(film, tmp_path, arguments, says):
    result = run(film, "-o", tmp_path / "out", *arguments)
    assert result.exit_code == 2, result.output
    assert says in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_a_camera_is_to_be_chosen_among_several(film, config, tmp_path):
    for arguments, says in (
        ((), "door, yard"),
        (("--camera", "gate"), "gate"),
        (("--zone", "a:0,0 1,0 1,1"), "config"),
    ):
        result = run(film, "--config", config, "-o", tmp_path / "out", *arguments)
        assert result.exit_code == 2
        assert says in result.output
    assert run(tmp_path / "none.mp4", "-o", tmp_path / "out").exit_code == 3


def test_a_zone_is_read():
    assert zone_of(" a b : 0,0.5  1,0 1,1") == {"name": "a b", "points": [[0.0, 0.5], [1.0, 0.0], [1.0, 1.0]]}


# --- the page --------------------------------------------------------------------------------------

PAGE = Path(motionseg.__file__).parents[1] / "docs" / "recorded_events.md"


def test_what_the_page_shows_is_so(plain, capsys):
    out, summary = plain
    page = PAGE.read_text(encoding="utf-8")
    (toml,) = re.findall(r"```toml\n(.*?)```", page, re.S)
    assert [camera.name for camera in parse_config(toml).camera] == ["road"]
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(compile(code.replace("found/", f"{out}/"), str(PAGE), "exec"), {})
    said = capsys.readouterr().out
    assert "'west->east': 1" in said
    assert all(f"clips/{event.id}.mp4" in said for event in read_events(out))
    assert (out / "statistics.csv").read_text().splitlines()[0] in page
    for key in ("n_events", "n_events_by_rule", "cut_off", "without_clip"):
        assert key in summary
        assert f"`{key}`" in page
