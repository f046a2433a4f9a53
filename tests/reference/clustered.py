"""What pipeline/clustered.py's kernel does, in numpy."""

import numpy as np


def reverse(flow, camera, out):
    """Write -flow where `flow` leads; of several in one place the first of those that move least like the camera."""
    height, width = flow.shape[:2]
    own = np.square(flow - camera)
    own = own[..., 0] + own[..., 1]
    best = {}
    for y in range(height):
        for x in range(width):
            to_x, to_y = np.floor(np.float64(flow[y, x]) + (x, y) + 0.5)
            if 0 <= to_x < width and 0 <= to_y < height:
                best.setdefault((int(to_y), int(to_x)), []).append((-own[y, x], y, x))
    for place, arrived in best.items():
        _, y, x = min(arrived)
        out[place] = -flow[y, x]
