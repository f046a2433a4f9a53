"""Flow files: what is written comes back, and what is no flow is told."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, OutputError, SourceError
from motionseg.io import read_flow, write_flow

shapes = st.tuples(st.integers(1, 12), st.integers(1, 12))
numbers = st.floats(-1e9, 1e9, width=32, allow_subnormal=True)
steps = st.integers(-512 * 64, 512 * 64 - 1).map(lambda n: n / 64)


@given(st.data(), shapes, st.sampled_from([".flo", ".png"]))
def test_flow_comes_back(tmp_path_factory, data, shape, suffix):
    path = tmp_path_factory.mktemp("flow") / f"a{suffix}"
    flow = data.draw(hnp.arrays(np.float32, (*shape, 2), elements=numbers if suffix == ".flo" else steps))
    valid = data.draw(st.none() | hnp.arrays(np.bool_, shape))
    write_flow(path, flow, valid)
    read, known = read_flow(path)
    assert (read.dtype, known.dtype) == (np.float32, np.bool_)
    expected = np.ones(shape, bool) if valid is None else valid
    np.testing.assert_array_equal(known, expected)
    np.testing.assert_array_equal(read, np.where(expected[..., None], flow, 0))


def test_bytes_of_flo(tmp_path):
    flow = np.array([[[1, 2], [3, 4], [5, 6]]], np.float32)
    write_flow(tmp_path / "new" / "a.flo", flow, np.array([[True, False, True]]))
    assert (tmp_path / "new" / "a.flo").read_bytes() == b"PIEH" + struct.pack("<2i6f", 3, 1, 1, 2, 1e10, 1e10, 5, 6)
    unknown = struct.pack("<2i6f", 3, 1, 1.7e9, 2, np.nan, 4, 5, -np.inf)
    (tmp_path / "b.flo").write_bytes(b"PIEH" + unknown)
    read, valid = read_flow(tmp_path / "b.flo")
    assert not valid.any()
    assert not read.any()


def test_colours_of_kitti(tmp_path):
    """Red is dx, green dy, blue whether it is known."""
    write_flow(tmp_path / "a.png", np.array([[[1, -2], [3, 4]]], np.float32), np.array([[True, False]]))
    bgr = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert bgr.dtype == np.uint16
    assert bgr.tolist() == [[[1, 32768 - 128, 32768 + 64], [0, 0, 0]]]


def test_kitti_rounds_to_a_64th(tmp_path):
    flow = np.random.default_rng(0).uniform(-500, 500, (30, 40, 2)).astype(np.float32)
    write_flow(tmp_path / "a.png", flow)
    read, _ = read_flow(tmp_path / "a.png")
    assert np.abs(read - flow).max() <= 1 / 128
    np.testing.assert_array_equal(read * 64, np.rint(read * 64))


@pytest.mark.parametrize(
    ("suffix", "bad", "good"),
    [
        (".png", 512, 511.99),
        (".png", -512.01, -512),
        (".png", np.nan, 0),
        (".png", 3e38, 0),
        (".flo", 1.1e9, 1e9),
        (".flo", np.nan, 0),
    ],
)
def test_what_has_no_number_is_refused(tmp_path, suffix, bad, good):
    flow = np.zeros((3, 4, 2), np.float32)
    flow[1, 2, 1] = bad
    with pytest.raises(OutputError, match=rf"a{suffix}: the flow .* at x=2, y=1"):
        write_flow(tmp_path / f"a{suffix}", flow)
    assert not list(tmp_path.iterdir())
    valid = np.ones((3, 4), bool)
    valid[1, 2] = False
    write_flow(tmp_path / f"a{suffix}", flow, valid)  # an unknown one may be anything
    flow[1, 2, 1] = good
    write_flow(tmp_path / f"a{suffix}", flow)


def test_bad_arrays_and_names_are_refused(tmp_path):
    flow = np.zeros((3, 4, 2), np.float32)
    for bad in (flow.astype(float), flow[..., 0], flow[:0], flow[..., :1], [[1, 2]]):
        with pytest.raises(FrameError, match="flow"):
            write_flow(tmp_path / "a.flo", bad)
    for bad in (np.ones((4, 3), bool), np.ones((3, 4), np.uint8)):
        with pytest.raises(FrameError, match="valid"):
            write_flow(tmp_path / "a.flo", flow, bad)
    with pytest.raises(OutputError, match=r"a\.jpg: .*\.flo or \.png"):
        write_flow(tmp_path / "a.jpg", flow)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=r"file/a\.flo"):
        write_flow(tmp_path / "file" / "a.flo", flow)


_HEAD = b"PIEH" + struct.pack("<2i", 3, 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "202021.25"),
        (b"PIEH\x01", "202021.25"),
        (b"FEIP" + _HEAD[4:] + bytes(48), "202021.25"),
        (_HEAD + bytes(47), "cut short: 59 bytes, 3x2 pixels take 60"),
        (_HEAD + bytes(49), "longer"),
        (b"PIEH" + struct.pack("<2i", 3, -2) + bytes(48), "3x-2"),
    ],
)
def test_what_is_no_flo_is_told(tmp_path, content, message):
    (tmp_path / "a.flo").write_bytes(content)
    with pytest.raises(SourceError, match=rf"a\.flo: .*{message}"):
        read_flow(tmp_path / "a.flo")


def test_what_is_no_kitti_flow_is_told(tmp_path):
    path = tmp_path / "a.png"
    for picture in (np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3), np.uint16), np.zeros((2, 3, 4), np.uint16)):
        cv2.imwrite(str(path), picture)
        with pytest.raises(SourceError, match=r"a\.png: not a KITTI flow"):
            read_flow(path)
    write_flow(path, np.ones((50, 60, 2), np.float32))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match=r"a\.png: .*cut short"):
        read_flow(path)
    with pytest.raises(SourceError, match="No such file"):
        read_flow(tmp_path / "none.flo")
    with pytest.raises(SourceError, match=r"\.flo or \.png"):
        read_flow(tmp_path / "a.pfm")


@pytest.mark.data
def test_real_flow(data_root, tmp_path):
    flow, valid = read_flow(data_root / "flow/Middlebury/other-gt-flow/RubberWhale/flow10.flo")
    assert flow.shape == (388, 584, 2)
    assert 0.9 < valid.mean() < 1
    assert 2 < np.abs(flow).max() < 10
    kitti, known = read_flow(data_root / "flow/KITTI2012/flow_noc/000045_10.png")
    assert kitti.shape == (376, 1241, 2)
    assert 0.1 < known.mean() < 0.9
    for name, field, where in (("a.flo", flow, valid), ("a.png", kitti, known), ("b.flo", kitti, known)):
        write_flow(tmp_path / name, field, where)
        read, read_valid = read_flow(tmp_path / name)
        np.testing.assert_array_equal(read, field)
        np.testing.assert_array_equal(read_valid, where)
