import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.geometry import box_areas, box_intersections, box_iou, label_overlaps, mask_iou, vector_lengths

boxes = hnp.arrays(np.int64, st.tuples(st.integers(0, 5), st.just(4)), elements=st.integers(0, 12)).map(
    lambda b: np.concatenate([b[:, :2], b[:, :2] + b[:, 2:]], axis=1).astype(np.float32)
)


def painted(box):
    mask = np.zeros((30, 30), bool)
    x0, y0, x1, y1 = box.astype(int)
    mask[y0:y1, x0:x1] = True
    return mask


@given(boxes, boxes)
def test_boxes_overlap_as_painted_masks_do(a, b):
    common, iou = box_intersections(a, b), box_iou(a, b)
    assert iou.shape == common.shape == (len(a), len(b))
    assert box_areas(a).tolist() == [painted(x).sum() for x in a]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            assert common[i, j] == (painted(x) & painted(y)).sum()
            expected = mask_iou(painted(x), painted(y)) if (painted(x) | painted(y)).any() else 0
            assert abs(iou[i, j] - expected) < 1e-6


def test_masks_without_a_pixel_agree():
    assert mask_iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 1
    assert mask_iou(np.ones((2, 2), bool), np.zeros((2, 2), bool)) == 0


def test_inside_out_boxes_have_no_area():
    assert box_areas(np.array([[5, 5, 1, 9]], np.float32)).tolist() == [0]


labels = hnp.arrays(np.int32, (6, 7), elements=st.integers(0, 4))


@given(labels, labels)
def test_label_overlaps_count_pixels(a, b):
    table = label_overlaps(a, b)
    assert table.shape == (a.max() + 1, b.max() + 1)
    assert table.sum() == a.size
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            assert table[i, j] == ((a == i) & (b == j)).sum()


def test_lengths_of_vectors_do_not_depend_on_where_they_lie():
    vectors = np.random.default_rng(0).normal(0, 2, (61, 77, 2)).astype(np.float32)
    expected = vector_lengths(vectors)
    np.testing.assert_allclose(expected, np.hypot(vectors[..., 0], vectors[..., 1]), rtol=1e-6)
    room = np.empty(vectors.size + 16, np.float32)
    for place in range(16):
        moved = room[place : place + vectors.size].reshape(vectors.shape)
        moved[...] = vectors
        np.testing.assert_array_equal(vector_lengths(moved), expected)
    np.testing.assert_array_equal(vector_lengths(vectors.transpose(1, 0, 2)), expected.T)
