"""Run lengths of masks against a slow twin and against pycocotools."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import FrameError
from motionseg.core.rle import decode_labels, decode_rle, encode_labels, encode_rle

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))
masks = shapes.flatmap(lambda shape: hnp.arrays(np.bool_, shape))
pictures = shapes.flatmap(lambda shape: hnp.arrays(np.int32, shape, elements=st.integers(0, 4)))


def slow_rle(mask):
    """Pixel by pixel, character by character."""
    counts, inside = [0], False
    for x in range(mask.shape[1]):
        for y in range(mask.shape[0]):
            if mask[y, x] != inside:
                counts.append(0)
                inside = not inside
            counts[-1] += 1
    text = ""
    for i, count in enumerate(counts):
        rest = count - counts[i - 2] if i > 2 else count
        while True:
            low, rest = rest % 32, rest // 32
            is_last = rest == (-1 if low & 16 else 0)
            text += chr(48 + low + (0 if is_last else 32))
            if is_last:
                break
    return {"size": list(mask.shape), "counts": text}


@given(masks)
def test_masks_come_back(mask):
    rle = encode_rle(mask)
    assert rle == slow_rle(mask)
    decoded = decode_rle(rle)
    assert decoded.dtype == np.bool_
    assert decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, mask)
    np.testing.assert_array_equal(decode_rle({**rle, "counts": rle["counts"].encode()}), mask)


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (1, 1), (480, 854), (2000, 3000)])
@pytest.mark.parametrize("kind", ["empty", "full", "corner", "block"])
def test_masks_of_any_size(shape, kind):
    mask = np.full(shape, kind == "full")
    mask[-1:, -1:] |= kind == "corner"
    mask[shape[0] // 3 : shape[0] // 2, shape[1] // 3 : shape[1] // 2] |= kind == "block"
    np.testing.assert_array_equal(decode_rle(encode_rle(mask)), mask)


@given(pictures)
def test_labels_come_back(labels):
    rles = encode_labels(labels)
    assert list(rles) == sorted(set(labels.ravel().tolist()) - {0})
    for label, rle in rles.items():
        assert rle == encode_rle(labels == label)
    np.testing.assert_array_equal(decode_labels(rles, labels.shape), labels)


def test_the_later_mask_is_on_top_and_none_is_left_out():
    everywhere, corner = np.ones((2, 2), bool), np.array([[True, False], [False, False]])
    rles = {7: encode_rle(everywhere), 3: None, 5: encode_rle(corner)}
    assert decode_labels(rles, (2, 2)).tolist() == [[5, 7], [7, 7]]
    with pytest.raises(FrameError, match=r"label 7 has shape \(2, 2\)"):
        decode_labels(rles, (2, 3))


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [[1, 2, 3, 4]],
        {},
        {"size": [2, 2]},
        {"size": [2, 2], "counts": [4]},
        {"size": [2, 2], "counts": ""},
        {"size": [2, 2], "counts": "5"},
        {"size": [2, 2], "counts": "d"},
        {"size": [2, 2], "counts": "!"},
        {"size": [2, 2], "counts": "ä"},
        {"size": [5, 1], "counts": "121/"},  # its lower bits are those of "121O", which is good
        {"size": [2, 2], "counts": "6N"},  # 6, -2
        {"size": [2, 2], "counts": "P" * 9 + "4"},
        {"size": [2.0, 2], "counts": "4"},
        {"size": [-2, -2], "counts": "4"},
        {"size": [2], "counts": "4"},
    ],
)
def test_a_bad_mask_is_told(bad):
    with pytest.raises(FrameError, match="encoded mask"):
        decode_rle(bad)


def test_a_known_text():
    assert decode_rle({"size": [5, 1], "counts": "121O"})[:, 0].tolist() == [False, True, True, False, True]


def test_what_cannot_be_encoded_is_refused():
    for bad in (np.zeros((2, 2)), np.zeros((2, 2, 2), np.int32), [[0, 1]]):
        with pytest.raises(FrameError, match="integer array"):
            encode_labels(bad)
        with pytest.raises(FrameError, match="bool array"):
            encode_rle(bad)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pycocotools with numpy 2
@given(masks)
def test_pycocotools_agrees(mask):
    peer = pytest.importorskip("pycocotools.mask")
    rle = encode_rle(mask)
    theirs = peer.encode(np.asfortranarray(mask, np.uint8))
    assert rle == {**theirs, "counts": theirs["counts"].decode()}
    np.testing.assert_array_equal(peer.decode(rle), mask)
