"""Tracks as files, written frame by frame: they come back, go on, survive kills and full disks, and can be renamed."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, OutputError, ParameterError, SourceError
from motionseg.core.rle import decode_labels
from motionseg.core.types import Tracks, TrackState
from motionseg.io import (
    CocoTracksWriter,
    MotsWriter,
    TracksCsvWriter,
    coco_track_results,
    read_coco,
    read_mots,
    read_tracks,
    write_coco,
    write_columns,
)

IDS = (0, 1, 7, 999, 1000, 1001, 31_000)
films = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.lists(hnp.arrays(np.int32, shape, elements=st.sampled_from(IDS)), max_size=4)
)


def tracks_of(*ids, time=0.0, score=0.5):
    n = len(ids)
    return Tracks(
        time,
        np.array(ids, np.int64),
        np.tile(np.float32([1, 2, 3.25, 4]), (n, 1)),
        np.ones(n, np.int32),
        np.full(n, 9),
        np.full(n, score, np.float32),
        np.tile(np.float32([1.5, -2]), (n, 1)),
        np.ones(n, np.uint8),
        np.arange(n),
    )


# --- MOTS --------------------------------------------------------------------------------------


@given(films, st.integers(0, 1), st.sampled_from([1, 2, 99]))
def test_pixels_of_tracks_come_back(tmp_path_factory, film, first, class_id):
    path = tmp_path_factory.mktemp("mots") / "new" / "a.txt"
    with MotsWriter(path, first=first) as writer:
        for index, identities in enumerate(film):
            writer.write(3 * index, identities, class_id)
    if not film:
        assert not path.exists()
        return
    table = read_mots(path, first=first)
    assert (table.classes == class_id).all()
    assert (table.ids % 100_000 // 1000 == class_id).all()
    assert len(set(zip(table.frames.tolist(), table.ids.tolist(), strict=True))) == len(table)
    for index, identities in enumerate(film):
        if len(table):
            labels = table.labels(3 * index)
            back = np.zeros_like(identities)
            for id, number in zip(table.ids, table.numbers, strict=True):
                back[labels == id] = number
            np.testing.assert_array_equal(back, identities)


def test_ids_of_a_class_are_those_of_mots_and_later_ones_have_a_rule(tmp_path):
    path = tmp_path / "a.txt"
    with MotsWriter(path) as writer:
        writer.write(0, np.array([[1, 999, 1000, 12_345]], np.int32))
    assert read_mots(path).ids.tolist() == [2001, 2999, 102_000, 1_202_345]
    assert read_mots(path).numbers.tolist() == [1, 999, 1000, 12_345]


def test_what_mots_cannot_say_is_told(tmp_path):
    with MotsWriter(tmp_path / "a.txt") as writer:
        writer.write(0, np.array([[1]], np.int32))
        before = (tmp_path / "a.txt").read_text()
        for bad in (22_000_000, -4):
            with pytest.raises(OutputError, match=rf"a\.txt: MOTS has no id for track {bad}"):
                writer.write(1, np.array([[bad]], np.int32))
        with pytest.raises(FrameError, match=r"frame 1 has shape \(1, 2\)"):
            writer.write(1, np.array([[1, 0]], np.int32))
        with pytest.raises(FrameError, match="integer"):
            writer.write(1, np.ones((1, 1)))
        for arguments in ((-1, np.zeros((1, 1), np.int32)), (1, np.zeros((1, 1), np.int32), 100)):
            with pytest.raises(ParameterError):
                writer.write(*arguments)
        assert (tmp_path / "a.txt").read_text() == before
    with pytest.raises(OutputError, match="closed"):
        writer.write(1, np.array([[1]], np.int32))


# --- COCO --------------------------------------------------------------------------------------


@given(films)
def test_results_of_tracks_come_back(tmp_path_factory, film):
    folder = tmp_path_factory.mktemp("coco")
    path, every = folder / "new" / "a.json", tracks_of(*IDS[1:])
    with CocoTracksWriter(path, category_id=3) as writer:
        for index, identities in enumerate(film):
            writer.write(index, identities, every)
            json.loads(path.read_text())  # whole after every frame
    if not film:
        assert not path.exists()
        return
    results = read_coco(path)
    assert results == [r for i, f in enumerate(film) for r in coco_track_results(i, f, every, category_id=3)]
    for index, identities in enumerate(film):
        of = {r["track_id"]: r for r in results if r["image_id"] == index}
        rles = {id: r["segmentation"] for id, r in of.items()}
        np.testing.assert_array_equal(decode_labels(rles, identities.shape), identities)
        for id, result in of.items():
            ys, xs = np.nonzero(identities == id)
            assert result["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
            assert result["area"] == len(xs)
            assert (result["score"], result["category_id"]) == (0.5, 3)
    write_coco(folder / "b.json", results)
    assert (folder / "b.json").read_text() == path.read_text()


def test_pixels_of_unknown_tracks_have_no_result():
    results = coco_track_results(0, np.array([[3, 4, 0]], np.int32), tracks_of(4, 9))
    assert [r["track_id"] for r in results] == [4]


@pytest.mark.parametrize("empty_first", [False, True])
def test_results_go_on_with_an_old_file(tmp_path, empty_first):
    path = tmp_path / "a.json"
    for index in range(4):
        with CocoTracksWriter(path, append=True) as writer:
            writer.write(index, np.array([[int(index > 0 or not empty_first)]], np.int32), tracks_of(1))
    assert [r["image_id"] for r in read_coco(path)] == list(range(int(empty_first), 4))
    with CocoTracksWriter(path) as writer:
        writer.write(9, np.array([[1]], np.int32), tracks_of(1))
    assert [r["image_id"] for r in read_coco(path)] == [9]


@pytest.mark.parametrize("text", ["mine", "{}", "x"])
def test_what_is_no_list_is_left_alone(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    writer = CocoTracksWriter(path, append=True)
    for _ in range(2):
        with pytest.raises(OutputError, match=r"a\.json.*no list"):
            writer.write(0, np.ones((1, 1), np.int32), tracks_of(1))
    writer.close()
    assert path.read_text() == text


def test_results_that_cannot_be_written_are_told(tmp_path):
    path = tmp_path / "a.json"
    with CocoTracksWriter(path) as writer:
        writer.write(0, np.ones((1, 1), np.int32), tracks_of(1))
        with pytest.raises(OutputError, match=r"a\.json: frame 1: "):
            writer.write(1, np.ones((1, 1), np.int32), tracks_of(1, score=np.nan))
        with pytest.raises(FrameError):
            writer.write(1, np.ones((1, 1)), tracks_of(1))
        with pytest.raises(ParameterError):
            writer.write(-1, np.ones((1, 1), np.int32), tracks_of(1))
        writer.write(2, np.ones((1, 1), np.int32), tracks_of(1))
    assert [r["image_id"] for r in read_coco(path)] == [0, 2]
    with pytest.raises(OutputError, match="closed"):
        writer.write(3, np.ones((1, 1), np.int32), tracks_of(1))


# --- tables ------------------------------------------------------------------------------------


def test_a_table_of_tracks_comes_back(tmp_path):
    path = tmp_path / "tracks.csv"
    states = np.array(list(TrackState), np.uint8)
    many = Tracks(
        0.52, *list(vars(tracks_of(*range(3, 3 + len(states)))).values())[1:7], states, np.arange(len(states))
    )
    with TracksCsvWriter(path) as writer:
        writer.write(12, tracks_of(5))
        writer.write(13, tracks_of())
        writer.write(14, many)
    read = read_tracks(path)
    assert list(read) == [12, 14]
    for name, column in vars(many).items():
        if name == "labels":
            assert not read[14].labels.any()
        else:
            np.testing.assert_array_equal(getattr(read[14], name), column)
            assert np.asarray(getattr(read[14], name)).dtype == np.asarray(column).dtype
    assert read[12].ids.tolist() == [5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,0.04,1,0,0,1,1,9,.5,0,0,0,confirmed\n", "the first line is frame,time,id"),
        ("frame,time,id,x0,y0,x1,y1,area,score,state\n", "line 1: 13 columns are expected, not 10"),
        ("{head}{head}", "second head"),
        ("{head}1,0.04,1,0,0,1,1,9,.5,0,0,0,lost\n", "line 2: 'lost' is no state"),
        ("{head}1,0.04,1,0,0,1,1,9,.5,0,0,0\n", "line 2: 13 columns"),
        ("{head}1.5,0.04,1,0,0,1,1,9,.5,0,0,0,gone\n", "line 2: invalid literal"),
        ("{head}1,nan,1,0,0,1,1,9,.5,0,0,0,gone\n", "line 2: .*not finite"),
        ("", "the first line is"),
    ],
)
def test_a_bad_table_is_told(tmp_path, text, message):
    path = tmp_path / "tracks.csv"
    head = "frame,time,id,x0,y0,x1,y1,area,score,vx,vy,parent,state\n"
    path.write_text(text.replace("{head}", head))
    with pytest.raises(SourceError, match=rf"tracks\.csv: .*{message}"):
        read_tracks(path)


def test_columns(tmp_path):
    path = tmp_path / "new" / "a.csv"
    columns = {"id": np.array([3, 10]), "speed": np.array([1.0, 1 / 3]), "word": np.array(["a", "b"], object)}
    write_columns(path, columns)
    assert path.read_text() == "id,speed,word\n3,1,a\n10,0.3333,b\n"
    write_columns(path, {"x": np.array([np.nan, -0.5, 100.0, 1e-9])})
    assert path.read_text() == "x\n\n-0.5\n100\n0\n"
    write_columns(path, {"x": np.zeros(0), "y": np.zeros(0)})
    assert path.read_text() == "x,y\n"
    with pytest.raises(OutputError, match="differ in length"):
        write_columns(path, {"x": np.zeros(1), "y": np.zeros(2)})


# --- other names -------------------------------------------------------------------------------


@given(films, st.dictionaries(st.sampled_from(IDS[1:]), st.integers(1, 5000), max_size=3))
def test_renamed_files_are_those_of_renamed_tracks(tmp_path_factory, film, mapping):
    folder, every = tmp_path_factory.mktemp("renamed"), tracks_of(*IDS[1:])
    mapping = {old: new for old, new in mapping.items() if list(mapping.values()).count(new) == 1 and new not in IDS}
    with MotsWriter(folder / "a.txt") as masks, CocoTracksWriter(folder / "a.json") as results:
        for index, identities in enumerate(film):
            masks.write(index, identities)
            results.write(index, identities, every)
    if not film:
        return
    MotsWriter.rename(folder / "a.txt", mapping)
    CocoTracksWriter.rename(folder / "a.json", mapping)
    masks, results = read_mots(folder / "a.txt"), read_coco(folder / "a.json")
    told = {(r["image_id"], r["track_id"]): r["segmentation"]["counts"] for r in results}
    wanted = {(i, mapping.get(id, id)) for i, f in enumerate(film) for id in np.setdiff1d(f, 0).tolist()}
    assert set(told) == wanted
    assert dict(zip(zip(masks.frames.tolist(), masks.numbers.tolist(), strict=True), masks.counts, strict=True)) == told


@pytest.mark.parametrize("kind", [MotsWriter, CocoTracksWriter])
def test_renaming_what_is_something_else_changes_nothing(tmp_path, kind):
    path = tmp_path / "a.txt"
    path.write_text("what is this\nfile doing here in the folder\n")
    with pytest.raises(OutputError, match=r"a\.txt"):
        kind.rename(path, {1: 2})
    assert path.read_text().startswith("what is this")
    with pytest.raises(OutputError, match="No such file"):
        kind.rename(tmp_path / "b.txt", {1: 2})
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


# --- kills and full disks ----------------------------------------------------------------------


def test_a_killed_process_leaves_whole_files(tmp_path):
    code = f"""
import os, numpy as np
from motionseg.core.types import Tracks
from motionseg.io import CocoTracksWriter, MotsWriter
one = Tracks(0.0, np.array([1]), *(np.zeros((1, *shape), dtype) for dtype, *shape in
    [("f4", 4), ("i4",), ("i8",), ("f4",), ("f4", 2), ("u1",)]))
masks, results = MotsWriter({str(tmp_path / "a.txt")!r}), CocoTracksWriter({str(tmp_path / "a.json")!r})
for index in range(20):
    masks.write(index, np.eye(3, dtype=np.int32))
    results.write(index, np.eye(3, dtype=np.int32), one)
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 9
    assert read_mots(tmp_path / "a.txt").frames.tolist() == list(range(20))
    assert [r["image_id"] for r in read_coco(tmp_path / "a.json")] == list(range(20))


class Full:
    """A file that takes so many bytes, and then says that the disk is full; room that is given back can be used."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        free = self._room - self._file.tell()
        if free <= 0:
            raise OSError(28, "No space left on device")
        return self._file.write(data[:free])

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("kind", [TracksCsvWriter, MotsWriter, CocoTracksWriter])
@pytest.mark.parametrize("room", [0, 1, 150, 290, 420])
def test_a_full_disk_leaves_whole_frames(tmp_path, kind, room):
    path = tmp_path / "a"
    arguments = {TracksCsvWriter: (tracks_of(1, 2),), MotsWriter: (np.array([[1, 2]], np.int32),)}
    arguments[CocoTracksWriter] = (np.array([[1, 2]], np.int32), tracks_of(1, 2))

    written = []

    def write_frames(writer):
        for index in range(100):
            writer.write(index, *arguments[kind])
            written.append(index)
            if index == 0:
                writer._file = Full(writer._file, path.stat().st_size + room)

    writer = kind(path)
    with pytest.raises(OutputError, match="No space left"):
        write_frames(writer)
    writer.close()
    if kind is TracksCsvWriter:
        frames = [index for index, tracks in read_tracks(path).items() for _ in tracks.ids]
    elif kind is MotsWriter:
        frames = read_mots(path).frames.tolist()
    else:
        frames = [r["image_id"] for r in read_coco(path)]
    assert frames == [index for index in written for _ in range(2)]
