"""One bgslibrary algorithm behind two pipes: frames in, masks and seconds out.

python pybgs_masks.py SuBSENSE < frames > masks

Each frame comes as three int32 (height, width, channels) and its bytes; each answer is a float64 (seconds in the
library) and height x width bytes of mask. After the last frame a float64 follows: the peak memory of this process, MB.
Run it in a folder of its own: the library writes ./config there.
"""

import os
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pybgs

frames, masks = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # the library prints
model = getattr(pybgs, sys.argv[1])()
while head := frames.read(12):
    height, width, channels = struct.unpack("3i", head)
    data = frames.read(height * width * channels)
    frame = np.frombuffer(data, np.uint8).reshape(height, width, channels)
    began = time.perf_counter()
    mask = model.apply(frame)
    seconds = time.perf_counter() - began
    if mask is None or mask.size == 0:  # some say nothing of the first frame
        mask = np.zeros((height, width), np.uint8)
    mask = mask if mask.ndim == 2 else mask.max(axis=2)
    masks.write(struct.pack("d", seconds) + np.ascontiguousarray(mask, np.uint8).tobytes())
    masks.flush()
status = Path("/proc/self/status").read_text(encoding="ascii")
masks.write(struct.pack("d", int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6))
masks.flush()
