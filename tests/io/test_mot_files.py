"""Boxes and masks in time as text: what is written comes back, and bad lines are told by their number."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, OutputError, ParameterError, SourceError
from motionseg.core.rle import encode_rle
from motionseg.core.types import Tracks
from motionseg.io import MotTable, MotWriter, read_mot, read_mots, write_mot, write_mots

coordinates = st.just(0.0) | st.floats(2**-10, 2**17, width=32) | st.floats(-(2**17), -(2**-10), width=32)
shares = st.floats(-1, 1, width=32)


@st.composite
def tables(draw):
    n = draw(st.integers(0, 12))

    def column(dtype, elements, *shape):
        return draw(hnp.arrays(dtype, (n, *shape), elements=elements))

    boxes = column(np.float32, coordinates, 4)
    classes = column(np.int64, st.sampled_from([-1, 1, 7]))
    frames, ids = column(np.int64, st.integers(0, 10**6)), column(np.int64, st.integers(-1, 10**9))
    scores = column(np.float32, st.floats(-1e9, 1e9, width=32))
    return MotTable(frames, ids, boxes, scores, classes, column(np.float32, shares))


def assert_same(a, b):
    for name, column in vars(a).items():
        assert column.dtype == getattr(b, name).dtype, name
        np.testing.assert_array_equal(column, getattr(b, name), err_msg=name)


@given(tables())
def test_boxes_come_back_bit_for_bit(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("mot") / "new" / "a.txt"
    write_mot(path, table)
    assert_same(read_mot(path), table)


@given(st.lists(st.tuples(*[st.integers(-(10**5), 2 * 10**5).map(lambda n: f"{n / 100:g}")] * 4), max_size=5))
def test_text_of_hundredths_comes_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("mot") / "a.txt"
    text = "".join(f"{i + 1},{i},{x},{y},{w},{h},0.25,-1,-1,-1\n" for i, (x, y, w, h) in enumerate(rows))
    path.write_text(text.replace("-0,", "0,"))
    write_mot(path.with_name("b.txt"), read_mot(path))
    assert path.with_name("b.txt").read_text() == path.read_text()


def test_pixel_1_1_is_0_0(tmp_path):
    (tmp_path / "a.txt").write_text("1,4,1,1,10,20,1,1,0.5\n12,5,101,51,10.5,20,0,7,1\n")
    table = read_mot(tmp_path / "a.txt")
    assert table.frames.tolist() == [0, 11]
    assert table.ids.tolist() == [4, 5]
    assert table.boxes.tolist() == [[0, 0, 10, 20], [100, 50, 110.5, 70]]
    assert table.scores.tolist() == [1, 0]
    assert table.classes.tolist() == [1, 7]
    assert table.visibility.tolist() == [0.5, 1]
    assert len(table) == 2
    assert_same(table[table.frames == 11], table[1:])
    write_mot(tmp_path / "b.txt", table)
    assert (tmp_path / "b.txt").read_text() == (tmp_path / "a.txt").read_text()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("\n \r\n", []),
        ("\ufeff3, -1, 5, 6, 7, 8\r\n", [(2, -1, 4, 5, 11, 13, 1, -1, -1)]),
        ("3.0 2.00 5 6 7 8 0.5\r", [(2, 2, 4, 5, 11, 13, 0.5, -1, -1)]),
        ("3\t2\t5\t6\t7\t8\t0.5\t9", [(2, 2, 4, 5, 11, 13, 0.5, 9, -1)]),
        ("1,2,5,6,7,8,1,3,.25\n\n1e0,3,5,6,7,8,1,4.5,6.5,0", [(0, 2, 4, 5, 11, 13, 1, 3, 0.25),
                                                              (0, 3, 4, 5, 11, 13, 1, -1, -1)]),
    ],
)  # fmt: skip
def test_files_as_they_come(tmp_path, text, rows):
    (tmp_path / "a.txt").write_bytes(text.encode())
    table = read_mot(tmp_path / "a.txt")
    columns = (table.frames, table.ids, *table.boxes.T, table.scores, table.classes, table.visibility)
    assert list(zip(*(c.tolist() for c in columns), strict=True)) == rows
    assert table.boxes.shape == (len(rows), 4)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,2,3,4,5", "6 to 10 columns are expected, not 5"),
        ("1,2,3,4,5,6,7,8,9,10,11", "not 11"),
        ("1,,3,4,5,6,7", "could not convert"),
        ("1,2,3,x,5,6,7", "'x'"),
        ("1,2,nan,4,5,6,7", "not finite"),
        ("1,2,3,4,5,6,-1e300", "too large"),
        ("1e300,2,3,4,5,6,7", "too large"),
        ("0,2,3,4,5,6,7", "whole numbers"),
        ("1.5,2,3,4,5,6,7", "whole numbers"),
        ("1,2.5,3,4,5,6,7", "whole numbers"),
        ("1,2,3,4,5,6,7,1.5,1", "whole numbers"),
    ],
)
def test_a_bad_line_has_a_number(tmp_path, line, message):
    (tmp_path / "a.txt").write_text(f"1,2,3,4,5,6\n\n{line}\n")
    with pytest.raises(SourceError, match=rf"a\.txt: line 3: .*{message}"):
        read_mot(tmp_path / "a.txt")


def test_what_is_no_text_is_told(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"1,2,3\xff")
    for read in (read_mot, read_mots):
        with pytest.raises(SourceError, match=r"a\.txt: not a text"):
            read(tmp_path / "a.txt")
        with pytest.raises(SourceError, match=r"b\.txt: No such file"):
            read(tmp_path / "b.txt")


def one_box(**changes):
    columns = {"frames": np.zeros(1, np.int64), "ids": np.ones(1, np.int64), "boxes": np.ones((1, 4), np.float32)}
    columns |= {"scores": np.ones(1, np.float32), "classes": np.ones(1, np.int64)}
    return MotTable(**columns | {"visibility": np.ones(1, np.float32)} | changes)


def test_what_cannot_be_written_is_told(tmp_path):
    infinite = np.full(1, np.inf, np.float32)
    for bad in ({"boxes": np.full((1, 4), np.nan, np.float32)}, {"scores": infinite}, {"visibility": infinite}):
        with pytest.raises(OutputError, match=r"a\.txt: .*not finite"):
            write_mot(tmp_path / "a.txt", one_box(**bad))
    for bad in ({"ids": np.ones(2, np.int64)}, {"boxes": np.ones((1, 5), np.float32)}):
        with pytest.raises(FrameError, match="columns"):
            write_mot(tmp_path / "a.txt", one_box(**bad))
    with pytest.raises(ParameterError, match="from 0"):
        write_mot(tmp_path / "a.txt", one_box(frames=-np.ones(1, np.int64)))
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def tracks():
    boxes = np.array([[1, 2, 3.456, 4], [10.1, 20, 30, 40.5]], np.float32)
    none = {"labels": np.zeros(2, np.int32), "areas": np.zeros(2, np.int64), "velocities": np.zeros((2, 2), np.float32)}
    scores = np.array([0.1, 1], np.float32)
    return Tracks(1.0, np.array([3, 12]), boxes, scores=scores, states=np.ones(2, np.uint8), **none)


def test_tracks_as_they_come(tmp_path, tracks):
    path = tmp_path / "new" / "a.txt"
    with MotWriter(path) as writer:
        writer.write(0, Tracks())
        assert path.read_text() == ""
        writer.write(4, tracks)
        assert path.read_text() == "5,3,2,3,2.456,2,0.1,-1,-1,-1\n5,12,11.1,21,19.9,20.5,1,-1,-1,-1\n"  # at once
        with pytest.raises(ParameterError):
            writer.write(-1, tracks)
    with pytest.raises(OutputError, match="closed"):
        writer.write(5, tracks)
    with MotWriter(path, append=True) as writer:
        writer.write(5, tracks)
    table = read_mot(path)
    assert table.frames.tolist() == [4, 4, 5, 5]
    np.testing.assert_array_equal(table.boxes, np.concatenate([tracks.boxes] * 2))
    np.testing.assert_array_equal(table.scores[:2], tracks.scores)


def test_a_killed_process_leaves_whole_lines(tmp_path):
    code = f"""
import os, numpy as np
from motionseg.core.types import Tracks
from motionseg.io import MotWriter
one = Tracks(0.0, *(np.zeros((1, *shape), dtype) for dtype, *shape in
    [("i8",), ("f4", 4), ("i4",), ("i8",), ("f4",), ("f4", 2), ("u1",)]))
writer = MotWriter({os.fspath(tmp_path / "a.txt")!r})
for index in range(20):
    writer.write(index, one)
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 9
    assert read_mot(tmp_path / "a.txt").frames.tolist() == list(range(20))


@pytest.mark.data
def test_real_boxes(data_root, tmp_path):
    for path in sorted((data_root / "MOT").glob("*/*.txt")):
        table = read_mot(path)
        write_mot(tmp_path / "a.txt", table)
        assert_same(read_mot(tmp_path / "a.txt"), table)
        old, new = (np.loadtxt(p, delimiter=",", usecols=range(7)) for p in (path, tmp_path / "a.txt"))
        np.testing.assert_array_equal(old, new)  # as text says it, not as float32 has it


ids = st.sampled_from([0, 1001, 2001, 2002, 10000])
videos = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.lists(hnp.arrays(np.int32, shape, elements=ids), max_size=4)
)


@given(videos, st.integers(0, 1))
def test_masks_come_back(tmp_path_factory, video, first):
    path = tmp_path_factory.mktemp("mots") / "new" / "a.txt"
    write_mots(path, ((2 * i, labels) for i, labels in enumerate(video)), first=first)
    table = read_mots(path, first=first)
    assert len(table) == sum(len(np.setdiff1d(labels, 0)) for labels in video)
    np.testing.assert_array_equal(table.classes, table.ids // 1000)
    if len(table):
        for i, labels in enumerate(video):
            read = table.labels(2 * i)
            assert read.dtype == np.int32
            np.testing.assert_array_equal(read, labels)
        assert not table.labels(1).any()
        assert table.labels(1).shape == labels.shape
    else:
        assert table.labels(0).shape == table.shape == (0, 0)


def test_text_of_masks(tmp_path):
    path = tmp_path / "a.txt"
    write_mots(path, [(4, np.array([[2003, 0], [2003, 10000]], np.int32))])
    assert path.read_text() == "5 2003 2 2 2 022\n5 10000 10 2 2 31\n"
    write_mots(path, [(4, np.array([[1001]], np.int32))], first=0)
    assert path.read_text() == "4 1001 1 1 1 01\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2001 2 2 2", "6 columns are expected, not 5"),
        ("1 2001 x 2 2 4", "invalid literal"),
        ("0 2001 2 2 2 4", "out of range: 0, 2001"),
        ("1 0 2 2 2 4", "out of range: 1, 0"),
        ("99999999999999999999 2001 2 2 2 4", "out of range"),
        ("1 2001 99999999999999999999 2 2 4", "out of range"),
        ("1 2001 2 2 2 5", "do not cover"),
        ("1 2001 2 2 2 d", "damaged"),
        ("1 2001 2 -2 2 4", "H, W"),
    ],
)
def test_a_bad_line_of_masks_has_a_number(tmp_path, line, message):
    (tmp_path / "a.txt").write_text(f"1 2001 2 2 2 4\n{line}\n")
    with pytest.raises(SourceError, match=rf"a\.txt: line 2: .*{message}"):
        read_mots(tmp_path / "a.txt")


def test_masks_that_overlap_or_differ_in_size_are_told(tmp_path):
    path = tmp_path / "a.txt"
    one = encode_rle(np.ones((2, 2), bool))["counts"]
    for other in (2001, 2002):
        path.write_text(f"3 2001 2 2 2 {one}\n3 {other} 2 2 2 {one}\n4 2002 2 2 2 {one}")
        assert (read_mots(path).labels(3) == 2002).all()
        with pytest.raises(SourceError, match=rf"a\.txt, frame 2: object {other} overlaps"):
            read_mots(path).labels(2)
    path.write_text("3 2001 2 2 2 4\n4 2001 2 1 4 4\n")
    with pytest.raises(SourceError, match=r"different size .*\(1, 4\) and \(2, 2\)"):
        read_mots(path)


def test_masks_that_cannot_be_written_are_told(tmp_path):
    with pytest.raises(OutputError, match=r"a\.txt: an id is .*not 7"):
        write_mots(tmp_path / "a.txt", [(0, np.full((2, 2), 7, np.int32))])
    with pytest.raises(FrameError, match="frame 1 has shape"):
        write_mots(tmp_path / "a.txt", [(0, np.zeros((2, 2), np.int32)), (1, np.zeros((2, 3), np.int32))])
    with pytest.raises(FrameError, match="integer"):
        write_mots(tmp_path / "a.txt", [(0, np.zeros((2, 2)))])
    with pytest.raises(ParameterError, match="index"):
        write_mots(tmp_path / "a.txt", [(-1, np.zeros((2, 2), np.int32))])
    assert list(tmp_path.iterdir()) == []
