"""What the network is to be good at, as numbers that fall while it learns."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from motionseg.refine._network import Answer
from motionseg.refine._samples import Batch, warped

__all__ = ["batch_loss"]

_NEAR = 9  # pixels: window in which an outline counts
_NEAR_WEIGHT = 6.0
_WEIGHTS = {"bce": 1.0, "jaccard": 1.0, "shadow": 0.2, "embedding": 0.1, "temporal": 0.1}
_TEMPERATURE = 0.1
_LEAST_PLACES = 6  # of a region at 1/4 of the size


def batch_loss(answers: list[Answer], batch: Batch) -> dict[str, Tensor]:
    """The parts of the loss, weighted, and their sum as ``"loss"``.

    *bce*: binary (or, with more classes, categorical) cross-entropy, up to four times as heavy at outlines, by their
    distance; *jaccard*: one minus the soft intersection over union of each picture; *shadow*: cross-entropy;
    *embedding*: regions of one thing in two frames against all others of the batch (InfoNCE, temperature 0.1);
    *temporal*: difference from the last answer, where the truth has not changed.
    """
    parts = {name: torch.zeros((), device=batch.flow.device) for name in _WEIGHTS}
    for answer, truth, shadow in zip(answers, batch.truth, batch.shadow, strict=True):
        parts["bce"] = parts["bce"] + _cross_entropy(answer.mask, truth) / len(answers)
        parts["jaccard"] = parts["jaccard"] + _jaccard(answer.mask, truth) / len(answers)
        parts["shadow"] = parts["shadow"] + _cross_entropy(answer.shadow, shadow, outlines=False) / len(answers)
    if len(answers) > 1:
        parts["embedding"] = _contrast(answers, batch.labels)
        parts["temporal"] = _flicker(answers, batch)
    weighted = {name: _WEIGHTS[name] * part for name, part in parts.items()}
    return {"loss": torch.stack(list(weighted.values())).sum(), **weighted}


def _split(truth: Tensor) -> tuple[Tensor, Tensor]:
    judged = ~truth.isnan()
    return torch.where(judged, truth, torch.zeros_like(truth)), judged.float()


def _cross_entropy(logits: Tensor, truth: Tensor, *, outlines: bool = True) -> Tensor:
    target, weight = _split(truth)
    total = weight.sum().clamp(min=1)
    if logits.shape[1] > 1:
        return (F.cross_entropy(logits, target[:, 0].long(), reduction="none") * weight[:, 0]).sum() / total
    if outlines:
        near = (target - F.avg_pool2d(target, _NEAR, 1, _NEAR // 2, count_include_pad=False)).abs()
        weight = weight * (1 + _NEAR_WEIGHT * near)
    loss = F.binary_cross_entropy_with_logits(logits.float(), target, weight, reduction="sum")
    return loss / total


def _jaccard(logits: Tensor, truth: Tensor) -> Tensor:
    target, weight = _split(truth)
    if logits.shape[1] > 1:
        sure = logits.float().softmax(dim=1) * weight
        wanted = F.one_hot(target[:, 0].long(), logits.shape[1]).movedim(-1, 1) * weight
    else:
        sure, wanted = logits.float().sigmoid() * weight, target * weight
    both = (sure * wanted).sum(dim=(2, 3))
    either = (sure + wanted).sum(dim=(2, 3)) - both
    return (1 - (both + 20) / (either + 20)).mean()  # 20 px2: a speck in an empty picture costs little


def _flicker(answers: list[Answer], batch: Batch) -> Tensor:
    last, now = (F.avg_pool2d(a.foreground().sigmoid(), 4) for a in answers[-2:])
    truths = [F.avg_pool2d(t.nan_to_num(0.5), 4) for t in batch.truth[-2:]]
    stays = (warped(truths[0], batch.flow) - truths[1]).abs() < 0.05
    return ((now - warped(last.detach(), batch.flow)).abs() * stays).mean()


def _contrast(answers: list[Answer], labels: list[Tensor]) -> Tensor:
    """Every region of the last frame is to find itself in the frame before, among all regions of the batch."""
    pooled = [_pooled(answer.embedding, label) for answer, label in zip(answers[-2:], labels[-2:], strict=True)]
    (first, first_keys), (second, second_keys) = pooled
    matches = second_keys[:, None] == first_keys[None]
    found = matches.any(dim=1)
    if not found.any():
        return answers[0].embedding.sum() * 0
    likeness = second[found] @ first.T / _TEMPERATURE
    return F.cross_entropy(likeness, matches[found].float().argmax(dim=1))


def _pooled(embedding: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Unit vectors (R, C) of all regions that are large enough, and keys (R,) that tell them apart."""
    keys = labels + 256 * torch.arange(len(labels), device=labels.device)[:, None, None]
    flat, vectors = keys.flatten(), embedding.movedim(1, -1).flatten(0, 2)
    unique, index, counts = torch.unique(flat, return_inverse=True, return_counts=True)
    sums = torch.zeros(len(unique), vectors.shape[1], device=vectors.device).index_add_(0, index, vectors)
    kept = (unique % 256 > 0) & (counts >= _LEAST_PLACES)
    return F.normalize(sums[kept], dim=1), unique[kept]
