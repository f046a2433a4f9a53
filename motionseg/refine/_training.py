"""The loop in which a network learns: seeded, stopped and resumed at any step, with its best weights kept."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from tensorboardX import SummaryWriter
from torch import Tensor

from motionseg.core.checks import check_integer, check_number
from motionseg.core.errors import OutputError, ParameterError, StateError
from motionseg.core.state import replacing
from motionseg.refine._losses import batch_loss
from motionseg.refine._network import Answer, build_network
from motionseg.refine._samples import Batch, SampleSet, batch_inputs, warped
from motionseg.refine._weights import write_weights

__all__ = ["Trainer", "answers_to", "mask_quality"]

_WARM_UP = 200  # steps in which the learning rate rises
_MEMORY = 0.998  # of the mean of the weights, a step
_CLIP = 2.0  # norm of the gradient
_CHECKPOINT = "checkpoint.pt"


class Trainer:
    """Teaches one network.

    Parameters
    ----------
    folder : Path
        For ``checkpoint.pt``, ``metrics.csv``, the same for TensorBoard (``events.out.tfevents.*``) and the best
        weights, ``best.safetensors``. A checkpoint that is there is continued.
    train, valid : SampleSet
        To learn from, and to judge by: of other clips.
    network : str
        See `NETWORKS`.
    n_classes : int
        1: foreground or not; more: the truth of the samples is a class (see `batch_inputs`).
    steps : int
        Of `batch` samples each.
    batch : int
    learning_rate : float
        Of AdamW at its highest; it rises for 200 steps, then falls as a cosine to 0.
    seed : int
    device : torch.device
    every : int
        Steps from one judgement (and checkpoint) to the next.
    patience : int
        Judgements without a better one, after which it stops early.
    facts : dict
        Written into the weights' head: where the data comes from.
    initial : dict of str to tensor, optional
        A state to begin with instead of random weights.

    Raises
    ------
    ParameterError
        A number is out of range, or the folder holds a run with other settings.
    StateError
        The checkpoint cannot be read.
    """

    def __init__(
        self,
        folder: Path,
        train: SampleSet,
        valid: SampleSet,
        *,
        network: str = "small",
        n_classes: int = 1,
        steps: int = 6000,
        batch: int = 16,
        learning_rate: float = 3e-3,
        seed: int = 0,
        device: torch.device | str = "cpu",
        every: int = 500,
        patience: int = 8,
        facts: dict[str, Any] | None = None,
        initial: dict[str, Tensor] | None = None,
    ) -> None:
        self.folder, self.train, self.valid = folder, train, valid
        self.device = torch.device(device)
        self.settings = {
            "network": network,
            "n_classes": check_integer("n_classes", n_classes, 1, 254),
            "steps": check_integer("steps", steps, 1),
            "batch": check_integer("batch", batch, 1),
            "learning_rate": check_number("learning_rate", learning_rate, 0, 1, above=True),
            "seed": check_integer("seed", seed, 0),
            "samples": len(train),
        }
        self.every, self.patience = check_integer("every", every, 1), check_integer("patience", patience, 1)
        self.facts = facts or {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: {error}") from error
        torch.manual_seed(seed)
        self.network = build_network(network, n_classes).to(self.device)
        if initial is not None:
            self.network.load_state_dict(initial)
        self.mean = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), learning_rate, weight_decay=1e-3)
        self.step, self.seconds, self.best, self.since_best = 0, 0.0, -1.0, 0
        self._resume()

    def run(self, on_step: Callable[[int, float], None] = lambda step, loss: None) -> float:
        """Learn until the end, or until `on_step` (told the mean loss of late) raises; return the best mean IoU."""
        sums: dict[str, float] = {}
        n, began = 0, time.perf_counter()
        board = SummaryWriter(str(self.folder), write_to_disk=True)
        ahead = ThreadPoolExecutor(1)  # gathers the next samples while these are learned
        try:
            waiting = ahead.submit(self._samples_of, self.step)
            while self.step < self.settings["steps"] and self.since_best < self.patience:
                arrays, waiting = waiting.result(), ahead.submit(self._samples_of, self.step + 1)
                for name, value in self._one_step(arrays).items():
                    sums[name] = sums.get(name, 0.0) + value
                self.step, n = self.step + 1, n + 1
                loss = sums["loss"] / n
                if self.step % self.every == 0 or self.step == self.settings["steps"]:
                    self.seconds += time.perf_counter() - began
                    began = time.perf_counter()
                    self._judge({name: value / n for name, value in sums.items()}, board)
                    sums, n = {}, 0
                on_step(self.step, loss)
        finally:
            ahead.shutdown(cancel_futures=True)
            board.close()
            self.seconds += time.perf_counter() - began
            self._save()
        return self.best

    def _samples_of(self, step: int) -> dict[str, Tensor]:
        size, n = self.settings["batch"], len(self.train)
        epoch, place = divmod(step, max(1, n // size))
        order = torch.randperm(n, generator=torch.Generator().manual_seed(self.settings["seed"] * 100_003 + epoch))
        arrays = self.train.take(order[place * size : (place + 1) * size].tolist())
        return {name: value.pin_memory() for name, value in arrays.items()} if self.device.type == "cuda" else arrays

    def _one_step(self, arrays: dict[str, Tensor]) -> dict[str, float]:
        settings = self.settings
        generator = torch.Generator().manual_seed(settings["seed"] * 1_000_003 + self.step)
        batch = batch_inputs(arrays, generator=generator, device=self.device, n_classes=settings["n_classes"])
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.network.train()
        losses = batch_loss(answers_to(self.network, batch, generator), batch)
        self.optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), _CLIP)
        self.optimizer.step()
        memory = min(_MEMORY, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, value in zip(self.mean.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(value, 1 - memory)
            for mean, value in zip(self.mean.buffers(), self.network.buffers(), strict=True):
                mean.copy_(value)
        return dict(zip(losses, torch.stack(list(losses.values())).detach().tolist(), strict=True))

    def _learning_rate(self) -> float:
        done = self.step / self.settings["steps"]
        warm = min(1.0, (self.step + 1) / min(_WARM_UP, self.settings["steps"]))
        return float(self.settings["learning_rate"] * warm * 0.5 * (1 + math.cos(math.pi * done)))

    def _judge(self, losses: dict[str, float], board: SummaryWriter) -> None:
        quality = mask_quality(self.mean, self.valid, self.settings["batch"], self.device, self.settings["n_classes"])
        row = {"step": self.step, "seconds": round(self.seconds, 1), "learning_rate": self._learning_rate(), **losses}
        row |= {f"valid_{name}": value for name, value in quality.items()}
        for name, value in row.items():
            if name != "step":
                board.add_scalar(name.replace("valid_", "valid/"), value, self.step)
        board.flush()
        path = self.folder / "metrics.csv"
        is_new = not path.exists()
        try:
            with path.open("a", newline="") as file:
                writer = csv.DictWriter(file, list(row))
                if is_new:
                    writer.writeheader()
                writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
        except OSError as error:
            raise OutputError(f"{path}: {error}") from error
        self.since_best += 1
        if quality["iou"] > self.best:
            self.best, self.since_best = quality["iou"], 0
            facts = {**self.settings, **self.facts, "step": self.step, "valid_iou": round(quality["iou"], 4)}
            write_weights(self.folder / "best.safetensors", self.mean, self.settings["network"], facts)
        self._save()

    # --- checkpoints ---------------------------------------------------------------------------

    def _save(self) -> None:
        content = {
            "settings": self.settings,
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "counts": {name: getattr(self, name) for name in ("step", "seconds", "best", "since_best")},
        }
        try:
            with replacing(self.folder / _CHECKPOINT) as file:
                torch.save(content, file)
        except OSError as error:
            raise OutputError(f"{self.folder / _CHECKPOINT}: {error}") from error

    def _resume(self) -> None:
        path = self.folder / _CHECKPOINT
        if not path.exists():
            return
        try:
            content = torch.load(path, map_location=self.device, weights_only=True)
            settings, counts = content["settings"], content["counts"]
        except Exception as error:  # torch raises a dozen kinds for broken files
            raise StateError(f"{path}: not a readable checkpoint: {error}") from error
        for name, value in self.settings.items():
            if settings.get(name) != value:
                raise ParameterError(
                    f"the run in {self.folder} has {name} = {settings.get(name)}, so it cannot go on with {value}"
                )
        self.network.load_state_dict(content["network"])
        self.mean.load_state_dict(content["mean"])
        self.optimizer.load_state_dict(content["optimizer"])
        vars(self).update(counts)


def answers_to(network: torch.nn.Module, batch: Batch, generator: torch.Generator | None = None) -> list[Answer]:
    """What a network says of the frames in their order, each time told its last answer; sometimes not, at random."""
    answers: list[Answer] = []
    is_fast = batch.flow.device.type == "cuda"
    for pixels, cues in zip(batch.pixels, batch.cues, strict=True):
        if answers:
            last = warped(F.avg_pool2d(answers[-1].foreground().detach().sigmoid(), 4), batch.flow)
            if generator is not None:
                kept = torch.rand(len(last), 1, 1, 1, generator=generator) > 0.25
                last = last * kept.to(last.device)
            cues = torch.cat([cues[:, :2], last, cues[:, 3:]], dim=1)
        with torch.autocast(batch.flow.device.type, torch.bfloat16, enabled=is_fast):
            answer = network(pixels, cues)
        answers.append(Answer(*(part.float() for part in answer)))
    return answers


@torch.no_grad()
def mask_quality(
    network: torch.nn.Module, samples: SampleSet, batch: int, device: torch.device, n_classes: int = 1
) -> dict[str, float]:
    """Mean IoU of the last frame's mask over samples with something in them, all and per camera, and the prior's.

    With more classes: ``iou`` is the mean over the classes of all samples together, ``accuracy`` the share of pixels.
    """
    names = ("fixed", "shaking", "moving")
    values: dict[str, list[float]] = {name: [] for name in ("iou", "prior_iou", *names)}
    confusion = torch.zeros(n_classes, n_classes, dtype=torch.int64)
    for start in range(0, len(samples), batch):
        arrays = samples.take(range(start, min(start + batch, len(samples))))
        inputs = batch_inputs(arrays, generator=None, device=device, n_classes=n_classes)
        answer, truth = answers_to(network, inputs)[-1].mask, inputs.truth[-1][:, 0]
        judged = ~truth.isnan()
        if n_classes > 1:
            pairs = truth[judged].long() * n_classes + answer.argmax(dim=1)[judged]
            confusion += torch.bincount(pairs.cpu(), minlength=n_classes**2).view(n_classes, n_classes)
            continue
        prior = (arrays["mask"][:, -1] == 255).to(device)
        for k in range(len(truth)):
            wanted = truth[k] > 0.5
            if wanted.sum() < 30:
                continue
            mine, its = (_iou(mask[k][judged[k]], wanted[judged[k]]) for mask in (answer[:, 0] > 0, prior))
            values["iou"].append(mine)
            values["prior_iou"].append(its)
            values[names[int(arrays["kind"][k])]].append(mine)
    if n_classes > 1:
        right, either = confusion.diag(), confusion.sum(dim=0) + confusion.sum(dim=1) - confusion.diag()
        there = either > 0
        accuracy = float(right.sum() / confusion.sum().clamp(min=1))
        return {"iou": float((right[there] / either[there]).mean()) if there.any() else 0.0, "accuracy": accuracy}
    return {name: sum(v) / max(len(v), 1) for name, v in values.items()}


def _iou(mask: Tensor, truth: Tensor) -> float:
    return float((mask & truth).sum() / (mask | truth).sum().clamp(min=1))
