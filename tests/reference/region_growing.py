"""Slow, obvious twins of the kernels of RegionGrowing: queues as lists."""

import numpy as np

AROUND = ((-1, 0), (0, -1), (0, 1), (1, 0))


def grow(flow, valid, seeds, tolerance, share):
    """Labels (H, W) from 1, 0 where not valid."""
    labels = np.zeros(valid.shape, int)
    for seed in seeds:
        start = divmod(int(seed), valid.shape[1])
        if labels[start] or not valid[start]:
            continue
        label = labels.max() + 1
        labels[start] = label
        members = [flow[start].astype(float)]
        queue = [start]
        while queue:
            y, x = queue.pop(0)
            mean = np.mean(members, axis=0)
            for dy, dx in AROUND:
                there = y + dy, x + dx
                if not (0 <= there[0] < valid.shape[0] and 0 <= there[1] < valid.shape[1]):
                    continue
                if labels[there] or not valid[there]:
                    continue
                if np.hypot(*(flow[there] - mean)) <= tolerance + share * np.hypot(*mean):
                    labels[there] = label
                    members.append(flow[there].astype(float))
                    queue.append(there)
    return labels


def absorb(labels, kept, valid):
    labels = np.where(kept[labels], labels, 0)
    queue = list(zip(*np.nonzero(labels), strict=True))
    while queue:
        y, x = queue.pop(0)
        for dy, dx in AROUND:
            there = y + dy, x + dx
            inside = 0 <= there[0] < valid.shape[0] and 0 <= there[1] < valid.shape[1]
            if inside and labels[there] == 0 and valid[there]:
                labels[there] = labels[y, x]
                queue.append(there)
    return labels
