import numpy as np
import pytest

from motionseg.core.errors import FrameError, ParameterError
from motionseg.viz import color_flow, color_labels, draw_boxes, error_map, track_color

WHITE, BLACK, ORANGE, BLUE, DARK, GREY = ([255] * 3, [0] * 3, [0, 94, 213], [233, 180, 86], [60] * 3, [110, 90, 90])


def test_error_map_by_hand():
    truth = np.array([[0, 50, 85, 170, 255], [0, 50, 85, 170, 255]], np.uint8)
    mask = np.array([[255] * 5, [0, 127, 0, 0, 127]], np.uint8)
    assert error_map(mask, truth).tolist() == [[ORANGE, ORANGE, GREY, GREY, WHITE], [BLACK, DARK, GREY, GREY, BLUE]]
    roi = np.array([[False] * 5, [True] * 5])
    assert error_map(mask, truth, roi).tolist() == [[GREY] * 5, [BLACK, DARK, GREY, GREY, BLUE]]
    with pytest.raises(FrameError, match="expected"):
        error_map(mask, truth[:1])


def test_labels_keep_their_colour():
    labels = np.array([[0, 7], [-1, 300]], np.int32)
    assert color_labels(labels).tolist() == [[BLACK, list(track_color(7))], [GREY, list(track_color(300))]]


def test_flow_colours_tell_direction_and_length():
    flow = np.array([[[0, 0], [4, 0], [-4, 0], [2, 0], [np.nan, 0]]], np.float32)
    still, right, left, half, unknown = color_flow(flow, longest=4.0)[0].tolist()
    assert still == WHITE
    assert unknown == BLACK
    assert right == [0, 0, 255]
    assert left == [255, 255, 0]
    assert right[2] == half[2]
    assert right[0] < half[0] < 255
    assert color_flow(flow, np.zeros((1, 5), bool)).tolist() == [[BLACK] * 5]
    with pytest.raises(FrameError, match="shape"):
        color_flow(flow[0])
    with pytest.raises(ParameterError, match="longest"):
        color_flow(flow, longest=0.0)


def test_boxes_are_drawn_on_a_copy():
    paper = np.zeros((40, 60, 3), np.uint8)
    drawn = draw_boxes(paper, np.array([[10, 5, 50, 35]], np.float32), np.array([3]))
    assert not paper.any()
    assert drawn[5, 30].tolist() == list(track_color(3))
    assert not drawn[:3].any()
