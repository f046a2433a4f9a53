"""Pictures of labels: palettised, grey and coloured."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError, OutputError, ParameterError, SourceError
from motionseg.io import MaskFolderWriter, read_codes, read_image, read_labels, write_labels

_ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
_PALETTE = bytes(np.random.default_rng(1).integers(0, 256, 768, dtype=np.uint8))


def chunk(kind, body):
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def png(pixels, *, bits=8, colour_type=3, interlaced=False, extra=()):
    """A PNG by the book; `pixels` (H, W) below 2**bits, or bytes (H, W, n)."""
    height, width = pixels.shape[:2]
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([bits, colour_type, 0, 0, interlaced])
    parts = [pixels[y::dy, x::dx] for y, x, dy, dx in _ADAM7] if interlaced else [pixels]
    rows = [row for part in parts if part.size for row in part]
    if pixels.ndim == 2:
        rows = [np.packbits(np.unpackbits(row[:, None], axis=1)[:, 8 - bits :]) for row in rows]
    chunks = [chunk(b"IHDR", head), *(chunk(*e) for e in extra)]
    if colour_type == 3:
        chunks += [chunk(b"PLTE", _PALETTE[: 3 * 2**bits]), chunk(b"tRNS", b"\x00\x80"), chunk(b"bKGD", b"\x01")]
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    chunks += [chunk(b"IDAT", body[:9]), chunk(b"IDAT", body[9:]), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@given(hnp.arrays(np.int32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 255)))
def test_labels_come_back(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("labels") / "00000.png"
    write_labels(path, labels)
    read = read_labels(path)
    assert read.dtype == np.int32
    np.testing.assert_array_equal(read, labels)


def test_colours_are_those_of_davis(tmp_path):
    write_labels(tmp_path / "new" / "a.PNG", np.arange(256).reshape(16, 16))
    codes = read_codes(tmp_path / "new" / "a.PNG").ravel()
    known = {0: 0, 1: 0x800000, 2: 0x008000, 3: 0x808000, 4: 0x000080, 7: 0x808080, 8: 0x400000, 255: 0xE0E0C0}
    assert {label: codes[label] for label in known} == known
    for label in range(256):  # bit by bit
        red, green, blue = (sum((label >> 3 * k + c & 1) << 7 - k for k in range(3)) for c in range(3))
        assert codes[label] == red << 16 | green << 8 | blue


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_any_palettised_png(tmp_path, bits, interlaced):
    indices = np.random.default_rng(bits).integers(0, 2**bits, (13, 19), dtype=np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(png(indices, bits=bits, interlaced=interlaced, extra=[(b"sBIT", b"\x08\x08\x08")]))
    np.testing.assert_array_equal(read_labels(path), indices)
    colours = np.frombuffer(_PALETTE, np.uint8).reshape(256, 3)[indices].astype(np.int32)
    np.testing.assert_array_equal(read_codes(path), colours @ (1 << 16, 1 << 8, 1))


def test_cv2_filters_and_palette(tmp_path):
    """Rows that are filtered, as most programs write them."""
    labels = cv2.resize(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20, (50, 40))
    data = cv2.imencode(".png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    palette = chunk(b"IHDR", data[16:25] + b"\x03" + data[26:29]) + chunk(b"PLTE", _PALETTE)
    (tmp_path / "a.png").write_bytes(data[:8] + palette + data[33:])
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)


@pytest.mark.parametrize("suffix", [".png", ".pgm", ".bmp", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_levels_stay(tmp_path, suffix, dtype):
    if suffix == ".bmp" and dtype == np.uint16:
        return
    levels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (7, 9), dtype, endpoint=True)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), levels)
    for read in (read_labels, read_codes):
        result = read(tmp_path / f"a{suffix}")
        assert result.dtype == np.int32
        np.testing.assert_array_equal(result, levels)


def test_grey_with_alpha_and_of_one_bit(tmp_path):
    levels = np.arange(35, dtype=np.uint8).reshape(5, 7)
    path = tmp_path / "a.png"
    path.write_bytes(png(np.dstack([levels, 255 - levels]), colour_type=4))
    np.testing.assert_array_equal(read_labels(path), levels)
    path.write_bytes(png(levels % 2, bits=1, colour_type=0))
    np.testing.assert_array_equal(read_labels(path), levels % 2 * 255)


@pytest.mark.parametrize("suffix", [".png", ".ppm", ".bmp", ".rgba.png"])
def test_colours_are_codes(tmp_path, suffix):
    bgr = np.random.default_rng(0).integers(0, 256, (5, 8, 3), dtype=np.uint8)
    bgr[0, 0], bgr[0, 1] = 0, 7  # black, and a grey, which is a colour here
    codes = bgr[..., 2].astype(int) * 65536 + bgr[..., 1].astype(int) * 256 + bgr[..., 0]
    path = tmp_path / f"a{suffix}"
    alpha = np.arange(40, dtype=np.uint8).reshape(5, 8, 1)
    cv2.imwrite(str(path), np.dstack([bgr, alpha]) if "rgba" in suffix else bgr)
    np.testing.assert_array_equal(read_codes(path), codes)
    assert codes[0, :2].tolist() == [0, 0x070707]
    with pytest.raises(SourceError, match=rf"a{suffix}: a colour picture"):
        read_labels(path)


def test_what_is_no_picture_of_labels_is_told(tmp_path):
    path = tmp_path / "a.png"
    for content, message in (
        (b"", "empty"),
        (b"text", "not a readable image"),
        (b"\x89PNG\r\n\x1a\n", "not a readable"),
    ):
        path.write_bytes(content)
        for read in (read_labels, read_codes):
            with pytest.raises(SourceError, match=rf"a\.png: .*{message}"):
                read(path)
    with pytest.raises(SourceError, match="No such file"):
        read_labels(tmp_path / "none.png")
    cv2.imwrite(str(path), np.zeros((3, 4, 3), np.uint16))
    with pytest.raises(SourceError, match="8 bits"):
        read_codes(path)
    cv2.imwrite(str(tmp_path / "a.tif"), np.zeros((3, 4), np.float32))
    with pytest.raises(SourceError, match="float32"):
        read_labels(tmp_path / "a.tif")
    path.write_bytes(png(np.zeros((3, 4, 2), np.uint8), bits=16))
    with pytest.raises(SourceError, match="more than 8 bits"):
        read_labels(path)


def test_a_cut_png_is_told(tmp_path):
    data = png(np.random.default_rng(0).integers(0, 9, (9, 9), dtype=np.uint8), bits=4)
    path = tmp_path / "a.png"
    for end in range(1, len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(SourceError, match=r"a\.png"):
            read_labels(path)


@given(st.data())
def test_a_damaged_png_is_told(tmp_path_factory, data):
    """One wrong byte in what counts for labels: header, pixels and end (but its checksum)."""
    labels = np.random.default_rng(0).integers(0, 9, (9, 9), dtype=np.uint8)
    path = tmp_path_factory.mktemp("labels") / "a.png"
    good = png(labels, bits=4)
    start = good.index(b"IDAT") - 4
    place = data.draw(st.integers(0, 32) | st.integers(start, len(good) - 5))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bad)
    with pytest.raises(SourceError, match=r"a\.png"):
        read_labels(path)


def test_what_cannot_be_written_is_told(tmp_path):
    for bad, found in (([[0, 256]], 256), ([[-1, 3]], -1)):
        with pytest.raises(OutputError, match=rf"a\.png.*not {found}"):
            write_labels(tmp_path / "a.png", np.array(bad, np.int32))
    for bad in (np.zeros((2, 2)), np.zeros((2, 2, 3), np.int32), np.zeros((0, 2), np.int32), np.zeros((2, 2), bool)):
        with pytest.raises(FrameError, match="labels"):
            write_labels(tmp_path / "a.png", bad)
    with pytest.raises(OutputError, match=r"a\.jpg"):
        write_labels(tmp_path / "a.jpg", np.zeros((2, 2), np.int32))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=r"file/a\.png"):
        write_labels(tmp_path / "file" / "a.png", np.zeros((2, 2), np.int32))


@pytest.mark.data
def test_real_truth(data_root, tmp_path):
    for path in sorted((data_root / "DAVIS/Annotations/480p/boat").glob("*.png"))[::20]:
        labels = read_labels(path)
        assert labels.shape == (480, 854)
        assert set(np.unique(labels)) == {0, 255}
        np.testing.assert_array_equal(labels, read_image(path, grey=True))
        write_labels(tmp_path / path.name, labels)
        np.testing.assert_array_equal(read_labels(tmp_path / path.name), labels)
    assert set(np.unique(read_codes(data_root / "moseg/cars1/cars1_01.pgm"))) == {0, 128, 255}
    truth = data_root / "CDnet2014/dataset/baseline/highway/groundtruth/gt001000.png"  # its palette is a grey ramp
    np.testing.assert_array_equal(read_labels(truth), read_image(truth, grey=True))


def test_masks_in_the_tree_of_cdnet(tmp_path):
    masks = [np.full((4, 5), value, np.uint8) for value in (0, 127, 255)]
    folder = tmp_path / "results" / "baseline" / "highway"
    with MaskFolderWriter(folder, pattern="bin{:06d}.png", first=1) as writer:
        for index, mask in enumerate(masks):
            writer.write(index, mask)
    assert sorted(path.name for path in folder.iterdir()) == [f"bin00000{i}.png" for i in (1, 2, 3)]
    for index, mask in enumerate(masks):
        np.testing.assert_array_equal(read_image(folder / f"bin00000{index + 1}.png", grey=True), mask)


@pytest.mark.parametrize("pattern", ["a.png", "{}.jpg", "{", "{:06q}.png", "{name}.png", "{}{}.png", "{:.0}.png", None])
def test_a_pattern_gives_every_number_its_file(tmp_path, pattern):
    with pytest.raises(ParameterError, match="pattern"):
        MaskFolderWriter(tmp_path, pattern=pattern)
    with pytest.raises(ParameterError, match="first"):
        MaskFolderWriter(tmp_path, first=-1)
