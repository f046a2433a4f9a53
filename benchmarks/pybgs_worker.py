"""One bgslibrary algorithm behind two pipes: for every number read, a pass over so many frames, and its seconds.

python pybgs_worker.py SigmaDelta frames.npy
"""

import sys
import time

import numpy as np
import pybgs

model, frames = getattr(pybgs, sys.argv[1])(), list(np.load(sys.argv[2]))
for line in sys.stdin:
    began = time.perf_counter()
    for frame in frames[: int(line)]:
        model.apply(frame)
    print(f"\nseconds {time.perf_counter() - began}", flush=True)
