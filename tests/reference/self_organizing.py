"""Slow, obvious twin of SelfOrganizing: a map of neurons, three by three to a pixel."""

import numpy as np
from reference.footage import channels


def self_organizing(
    frames, *, threshold=20.0, calibration=100, calibration_threshold=40.0, learning_rate=0.05, given=None
):
    """For every frame its mask, its score and the map (3 H, 3 W, C) after it, in 1/64 level; `given` is apply's."""
    frames = [channels(frame) for frame in frames]
    height, width, n_channels = frames[0].shape
    neurons = (64 * frames[0]).repeat(3, axis=0).repeat(3, axis=1)
    limit, answers = int(n_channels * threshold**2), []
    for now, frame in enumerate(frames):
        learned, rate = limit, learning_rate if given is None else given
        if given is None and now < calibration:
            learned = int(n_channels * calibration_threshold**2)
            rate = 1 - (1 - learning_rate) * now / calibration
        nearest, winners = np.zeros((height, width), int), {}
        for y, x in np.ndindex(height, width):
            own = neurons[3 * y : 3 * y + 3, 3 * x : 3 * x + 3].reshape(9, n_channels)
            distances = (np.minimum(abs(frame[y, x] - (own + 32 >> 6)), 147) ** 2).sum(axis=1)
            nearest[y, x] = distances.min()
            if nearest[y, x] <= learned:
                j, i = divmod(int(distances.argmin()), 3)
                winners[y, x] = 3 * y + j, 3 * x + i
        for (y, x), (row, column) in sorted(winners.items()):
            for j in range(max(row - 1, 0), min(row + 2, 3 * height)):
                for i in range(max(column - 1, 0), min(column + 2, 3 * width)):
                    share = round(8191 * rate) * (2 - abs(j - row)) * (2 - abs(i - column))
                    neurons[j, i] += 2 * (64 * frame[y, x] - neurons[j, i]) * share >> 16
        answers.append((np.where(nearest > limit, 255, 0), nearest / (nearest + limit + 1), neurons.copy()))
    return answers
