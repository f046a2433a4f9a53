"""The trackers of the PyPI package `trackers` behind two pipes: a line names boxes, one of them tracks them.

/path/to/peers/python peer_tracks.py

A line is {"tracker": "OC-SORT", "input": "boxes.npz", "output": "tracks.npz"}; the answer, after `seconds `, a list of
what each frame took. Input: frames (N,), ascending, boxes (N, 4) x0 y0 x1 y1, scores (N,), n_frames, fps. Output:
frames, ids, boxes.
"""

import json
import sys
import time

import numpy as np
import supervision
import trackers

TRACKERS = {"ByteTrack": trackers.ByteTrackTracker, "OC-SORT": trackers.OCSORTTracker}


def main() -> None:
    """Answer until the pipe is closed."""
    for line in sys.stdin:
        order = json.loads(line)
        given = np.load(order["input"])
        tracker, start = TRACKERS[order["tracker"]](frame_rate=float(given["fps"])), given["frames"].searchsorted
        seconds, frames, ids, boxes = [], [], [], []
        for frame in range(int(given["n_frames"])):
            own = slice(*start([frame, frame + 1]))
            found = supervision.Detections(
                xyxy=given["boxes"][own].astype(np.float32),
                confidence=given["scores"][own].astype(np.float32),
                class_id=np.zeros(own.stop - own.start, int),
            )
            began = time.perf_counter()
            tracked = tracker.update(found)
            seconds.append(time.perf_counter() - began)
            known = np.flatnonzero(np.asarray(tracked.tracker_id) >= 0)
            frames.append(np.full(len(known), frame))
            ids.append(np.asarray(tracked.tracker_id, int)[known])
            boxes.append(np.asarray(tracked.xyxy, float).reshape(-1, 4)[known])
        columns = {"frames": frames, "ids": ids, "boxes": boxes}
        np.savez(order["output"], **{name: np.concatenate(parts) for name, parts in columns.items()})
        print(f"\nseconds {json.dumps(seconds)}", flush=True)


if __name__ == "__main__":
    main()
