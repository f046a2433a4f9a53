"""Slow, obvious twin of FrameDifference."""

import numpy as np
from reference.footage import channels


def frame_difference(frames, threshold):
    """For every frame its mask and its score."""
    answers, previous = [], channels(frames[0])
    least = int(np.floor(threshold)) + 1
    for frame in frames:
        absolute = np.abs(channels(frame) - previous)
        luma = (absolute @ [3735, 19235, 9798] + 2**14) >> 15 if frame.ndim == 3 else absolute[..., 0]
        score = np.where(luma == 255, 1.0, luma / (luma + least))
        answers.append((np.where(luma > threshold, 255, 0), score))
        previous = channels(frame)
    return answers
