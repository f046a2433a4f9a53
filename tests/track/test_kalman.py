"""Filters of many boxes at once: as one by one, in any steps of time, before a camera that moves."""

import numpy as np

from motionseg.track._kalman import Filters, begun, boxes_of, corrected, moved, moved_boxes, predicted

rng = np.random.default_rng(0)


def some_boxes(n):
    corner = rng.uniform(0, 300, (n, 2))
    return np.concatenate([corner, corner + rng.uniform(5, 60, (n, 2))], axis=1).astype(np.float32)


def some_filters(n):
    filters = corrected(predicted(begun(some_boxes(n), 0.15), 0.04, 3.0), some_boxes(n), 0.15)
    return predicted(filters, 0.1, 3.0)


def textbook(box, later, dt, acceleration, localization):
    """One box's centre and velocity in x by the textbook: matrices."""
    x, size = (box[0] + box[2]) / 2, float(box[2] - box[0])
    mean, cov = np.array([x, 0.0]), np.diag([(localization * size) ** 2, (2 * size) ** 2])
    step = np.array([[1, dt], [0, 1]])
    noise = (acceleration * size) ** 2 * np.array([[dt**4 / 4, dt**3 / 2], [dt**3 / 2, dt**2]])
    mean, cov = step @ mean, step @ cov @ step.T + noise
    gain = cov[:, 0] / (cov[0, 0] + (localization * size) ** 2)
    mean = mean + gain * ((later[0] + later[2]) / 2 - mean[0])
    return mean, cov - np.outer(gain, cov[0])


def test_it_is_the_filter_of_the_textbook():
    boxes, later = some_boxes(6), some_boxes(6)
    filters = corrected(predicted(begun(boxes, 0.15), 0.07, 3.0), later, 0.15)
    for k in range(6):
        mean, cov = textbook(boxes[k].astype(float), later[k].astype(float), 0.07, 3.0, 0.15)
        np.testing.assert_allclose(filters.means[k, [0, 2]], mean)
        np.testing.assert_allclose(filters.covariances[k, [0, 2, 4]], [cov[0, 0], cov[0, 1], cov[1, 1]])


def test_nothing_given_is_changed():
    filters = some_filters(4)
    copies = Filters(filters.means.copy(), filters.covariances.copy())
    predicted(filters, 0.1, 3.0)
    corrected(filters, some_boxes(4), 0.15)
    moved(filters, np.array([[1, 0, 5], [0, 1, 3], [0, 0, 1.0]]))
    for a, b in zip(filters, copies, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_camera_moves_what_was_predicted():
    filters = some_filters(5)
    turn, zoom = 0.1, 1.2
    camera = np.array(
        [[zoom * np.cos(turn), -zoom * np.sin(turn), 7], [zoom * np.sin(turn), zoom * np.cos(turn), -4], [0, 0, 1]]
    )
    there = moved(filters, camera)
    centre = filters.means[:, :2] @ camera[:2, :2].T + camera[:2, 2]
    np.testing.assert_allclose(there.means[:, :2], centre)
    np.testing.assert_allclose(there.velocities, filters.velocities @ camera[:2, :2].T)
    np.testing.assert_allclose(there.means[:, 4:], zoom * filters.means[:, 4:])
    np.testing.assert_allclose(there.covariances, zoom**2 * filters.covariances)
    back = moved(there, np.linalg.inv(camera))
    np.testing.assert_allclose(back.means, filters.means)
    np.testing.assert_allclose(boxes_of(there), moved_boxes(boxes_of(filters).astype(float), camera), rtol=1e-5)


def test_a_perspective_turns_speeds_as_it_turns_ways():
    filters = some_filters(5)
    camera = np.array([[1.02, 0.01, 3], [-0.02, 0.98, 2], [1e-4, -5e-5, 1]])
    there = moved(filters, camera)
    little = 1e-4
    later = Filters(filters.means.copy(), filters.covariances)
    later.means[:, :2] += little * filters.velocities
    np.testing.assert_allclose(
        (moved(later, camera).means[:, :2] - there.means[:, :2]) / little, there.velocities, rtol=1e-3
    )


def test_what_a_perspective_takes_out_of_sight_stays_finite():
    filters = some_filters(8)
    far = moved(filters, np.array([[1, 0, 0], [0, 1, 0], [-1 / 150, 0, 1.0]]))
    assert np.isfinite(far.means).all()
    assert np.isfinite(far.covariances).all()
    lost = filters.means[:, 0] >= 150
    assert lost.any()
    assert not lost.all()
    np.testing.assert_array_equal(far.means[lost], filters.means[lost])
    assert (far.means[~lost] != filters.means[~lost]).any()


def test_a_box_that_is_not_there_stays_so():
    boxes = np.full((2, 3, 4), np.nan)
    boxes[0, 0] = 10, 10, 20, 30
    to = moved_boxes(boxes, np.array([[1, 0, 5], [0, 1, 3], [0, 0, 1.0]]))
    np.testing.assert_array_equal(np.isnan(to), np.isnan(boxes))
    np.testing.assert_allclose(to[0, 0], [15, 13, 25, 33])
