"""The trackers of the PyPI package `trackers` behind two pipes: a line names boxes, one of them tracks them.

/path/to/peers/python peer_tracks.py

A line is {"tracker": "OC-SORT", "input": "boxes.npz", "output": "tracks.npz"}; the answer, after `seconds `, a list of
what each frame took. Input: frames (N,), ascending, boxes (N, 4) x0 y0 x1 y1, scores (N,), n_frames, fps. Output:
frames, ids, boxes. Or a frame at a time, to a tracker that goes on: {"tracker": "OC-SORT", "fps": 25, "boxes": [...],
"scores": [...]}, answered by `tracks {"ids": [...], "boxes": [...]}`.
"""

import json
import sys
import time

import numpy as np
import supervision
import trackers

TRACKERS = {"ByteTrack": trackers.ByteTrackTracker, "OC-SORT": trackers.OCSORTTracker}


def detections(boxes, scores):
    """Of one frame."""
    n = len(boxes)
    return supervision.Detections(
        xyxy=boxes.reshape(n, 4).astype(np.float32), confidence=scores.astype(np.float32), class_id=np.zeros(n, int)
    )


def known(tracked):
    """Ids and boxes of those that have an id."""
    rows = np.flatnonzero(np.asarray(tracked.tracker_id) >= 0)
    return np.asarray(tracked.tracker_id, int)[rows], np.asarray(tracked.xyxy, float).reshape(-1, 4)[rows]


def main() -> None:
    """Answer until the pipe is closed."""
    going_on = None
    for line in sys.stdin:
        order = json.loads(line)
        if "boxes" in order:
            going_on = going_on or TRACKERS[order["tracker"]](frame_rate=order["fps"])
            ids, boxes = known(going_on.update(detections(np.array(order["boxes"]), np.array(order["scores"]))))
            print(f"\ntracks {json.dumps({'ids': ids.tolist(), 'boxes': boxes.tolist()})}", flush=True)
            continue
        given = np.load(order["input"])
        tracker, start = TRACKERS[order["tracker"]](frame_rate=float(given["fps"])), given["frames"].searchsorted
        seconds, frames, ids, boxes = [], [], [], []
        for frame in range(int(given["n_frames"])):
            own = slice(*start([frame, frame + 1]))
            found = detections(given["boxes"][own], given["scores"][own])
            began = time.perf_counter()
            tracked = tracker.update(found)
            seconds.append(time.perf_counter() - began)
            for parts, part in zip((ids, boxes), known(tracked), strict=True):
                parts.append(part)
            frames.append(np.full(len(ids[-1]), frame))
        columns = {"frames": frames, "ids": ids, "boxes": boxes}
        np.savez(order["output"], **{name: np.concatenate(parts) for name, parts in columns.items()})
        print(f"\nseconds {json.dumps(seconds)}", flush=True)


if __name__ == "__main__":
    main()
