"""Sequences for the tracking metrics, and TrackEval asked about the same ones."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def sequences(draw, *, size=5):
    """Frames (truth ids, found ids, similarities) with ids that come and go, and often equal similarities."""
    n_frames, seed = draw(st.integers(0, 8)), draw(st.integers(0, 2**32 - 1))
    present, overlap = draw(st.sampled_from([0.0, 0.3, 0.9])), draw(st.sampled_from([0.0, 0.4, 1.0]))
    coarse, rng = draw(st.booleans()), np.random.default_rng(seed)
    names, frames = np.array([-4, 0, 3, 70, 10**12, *range(100, 100 + size)])[:size], []
    for _ in range(n_frames):
        truth = rng.permutation(names)[: rng.binomial(size, max(present, 0.5))]
        found = rng.permutation(names + 1)[: rng.binomial(size, present)]
        shape = len(truth), len(found)
        values = rng.choice([0.05, 0.25, 0.5, 0.5, 0.75, 1.0], shape) if coarse else rng.random(shape)
        frames.append((truth, found, values * (rng.random(shape) < overlap)))
    return frames


def trackeval_data(frames):
    """A sequence as TrackEval's metrics expect it."""
    truth, found = ([np.asarray(frame[side], int) for frame in frames] for side in (0, 1))
    data = {"num_timesteps": len(frames), "similarity_scores": [frame[2] for frame in frames]}
    for side, ids in (("gt", truth), ("tracker", found)):
        known, contiguous = np.unique(np.concatenate([np.zeros(0, int), *ids]), return_inverse=True)
        data[f"{side}_ids"] = np.split(contiguous, np.cumsum([len(i) for i in ids]))[:-1]
        data[f"num_{side}_ids"], data[f"num_{side}_dets"] = len(known), len(contiguous)
    return data
