"""A training run in a folder: samples are rendered, a network learns, and everything can be stopped and resumed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motionseg.apps.config import build_dataset, build_segmenter
from motionseg.apps.doctor import versions
from motionseg.apps.stop import Stop
from motionseg.core.errors import MissingExtraError, OutputError, ParameterError
from motionseg.core.state import replacing, write_state
from motionseg.io.write import write_json
from motionseg.pipeline.training_clips import render_samples
from motionseg.pipeline.training_sequence import sample_sequence

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["TrainingConfig", "read_config", "train_in_folder"]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Dataset(_Table):
    reader: str
    """A dataset's key (`motionseg datasets`)."""
    root: str
    """Its folder, relative to the config's."""
    sequences: list[str] | None = None
    """Names; default: all."""
    method: str = "auto"
    """What looks for motion in it, as for `motionseg segment --model`; ``"none"``: each picture stands for itself."""
    samples: int = Field(100, ge=2)
    """Of each sequence; of these the last tenth is kept apart to judge by."""


class _Data(_Table):
    root: str | None = None
    """Photographs and cut-outs (`motionseg.datasets.Material`); relative to the config's folder."""
    clips: int = Field(420, ge=0)
    """Rendered clips, of 20 samples each (13 MB); all samples are held in memory while it learns."""
    stills: int = Field(900, ge=0)
    """Times 20 samples of as many scenes that are not rendered as clips: cheaper, and of more kinds."""
    validation: int = Field(15, ge=1)
    """The first of the clips, and as many of the stills, are kept apart to judge by."""
    datasets: list[_Dataset] = []
    """Data of your own, mixed in."""
    seed: int = Field(0, ge=0)
    workers: int | None = Field(None, ge=1)


class _Network(_Table):
    name: str = "small"
    n_classes: int = Field(1, ge=1, le=254)
    """1: what moves. More: the mask's classes, which the datasets' labels are; rendered samples know none."""
    weights: str | None = None
    """A file to start from instead of random numbers."""


class _Training(_Table):
    steps: int = Field(6000, ge=1)
    batch: int = Field(16, ge=2)
    learning_rate: float = Field(3e-3, gt=0, le=1)
    seed: int = Field(0, ge=0)
    device: str = "auto"
    judge_every: int = Field(300, ge=1)
    patience: int = Field(8, ge=1)


class TrainingConfig(_Table):
    """What a training run reads from its TOML file: tables ``[data]``, ``[network]``, ``[training]``."""

    data: _Data = _Data()
    network: _Network = _Network()
    training: _Training = _Training()


def read_config(path: Path, root: Path | None = None) -> TrainingConfig:
    """The run that a TOML file describes; paths in it are taken from its own folder. `root` replaces its data.root.

    Raises
    ------
    ParameterError
        Not there, no TOML, or a key that is unknown or out of range: the message names file and key.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: no TOML: {error}") from error
    try:
        config = TrainingConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ParameterError(f"{path}: {key}: {first['msg']}") from error
    places: dict[str, Any] = {}
    for table, key in (("data", "root"), ("network", "weights")):
        value = getattr(getattr(config, table), key)
        if value is not None:
            here = getattr(config, table).model_copy(update={key: str((path.parent / value).resolve())})
            places[table] = here
    own = [item.model_copy(update={"root": str((path.parent / item.root).resolve())}) for item in config.data.datasets]
    places["data"] = places.get("data", config.data).model_copy(update={"datasets": own})
    if root is not None:
        places["data"] = places["data"].model_copy(update={"root": str(root)})
    return config.model_copy(update=places)


def train_in_folder(
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    on_clip: Callable[[int], None] = lambda done: None,
    on_step: Callable[[int, float], None] = lambda done, loss: None,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Render what is missing, learn, and leave ``best.safetensors``, ``metrics.csv``, ``curves.png``, ``summary.json``.

    Parameters
    ----------
    config : TrainingConfig
    folder : Path
        Made where missing; samples lie in ``samples/`` below it.
    resume : bool
        Go on with what is there; without it, a folder that is not empty is refused.
    on_clip, on_step : callable
        Told how many clips are rendered; how many steps are learned, and the loss.
    stop : Stop, optional
        Ends the run between two clips or steps.

    Returns
    -------
    dict
        The summary.

    Raises
    ------
    MissingExtraError
        torch, kornia, tensorboardX or safetensors is not installed.
    OutputError
        The folder is not empty, or cannot be written.
    ParameterError, SourceError, StateError
        The run is described wrongly, the material is not there, or the checkpoint cannot be read.
    """
    try:
        from motionseg.refine._engine import chosen_device
        from motionseg.refine._network import NETWORKS
        from motionseg.refine._samples import SampleSet
        from motionseg.refine._training import Trainer
        from motionseg.refine._weights import read_weights
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in {"torch", "kornia", "safetensors", "tensorboardX"}:
            raise
        raise MissingExtraError("training", "pip install motionseg[refine]") from error
    if config.network.name not in NETWORKS:
        raise ParameterError(f"there is no network {config.network.name!r}; there are: {', '.join(NETWORKS)}")
    _check_amounts(config)
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise OutputError(f"{folder} is not empty; --resume continues the run in it")
    device, initial = chosen_device(config.training.device), None
    if config.network.weights is not None:
        network, name, facts = read_weights(config.network.weights)
        own, wanted = (name, facts.get("n_classes", 1)), (config.network.name, config.network.n_classes)
        if own != wanted:
            raise ParameterError(f"{config.network.weights}: weights of {own[0]!r} with {own[1]} classes, not {wanted}")
        initial = network.state_dict()
    stop = stop or Stop()

    def clip_done(done: int) -> None:
        on_clip(done)
        if stop.asked:
            raise KeyboardInterrupt

    def step_done(done: int, loss: float) -> None:
        on_step(done, loss)
        if stop.asked:
            raise KeyboardInterrupt

    data, training = config.data, config.training
    summary: dict[str, Any] = {
        "complete": False,
        "config": config.model_dump(
            exclude={"data": {"root": True, "datasets": {"__all__": {"root"}}}, "network": {"weights"}}
        ),
        "versions": versions(),
    }
    with stop.listening():
        try:
            files = render_samples(
                folder / "samples",
                root=data.root,
                n_clips=data.clips,
                n_stills=data.stills,
                seed=data.seed,
                workers=data.workers,
                on_clip=clip_done,
            )
            kinds = files[: data.clips], files[data.clips :]
            learned = [file for kind in kinds for file in kind[data.validation :]]
            judged = [file for kind in kinds for file in kind[: data.validation]]
            own_learned, own_judged = _sample_datasets(config, folder / "samples", stop)
            learned, judged = learned + own_learned, judged + own_judged
            trainer = Trainer(
                folder,
                SampleSet(learned),
                SampleSet(judged),
                network=config.network.name,
                n_classes=config.network.n_classes,
                steps=training.steps,
                batch=training.batch,
                learning_rate=training.learning_rate,
                seed=training.seed,
                device=device,
                every=training.judge_every,
                patience=training.patience,
                facts={"clips": data.clips, "stills": data.stills, "data_seed": data.seed},
                initial=initial,
            )
            summary["best_iou"] = trainer.run(step_done)
            summary |= {"complete": True, "steps": trainer.step, "seconds": round(trainer.seconds, 1)}
        except KeyboardInterrupt:
            pass
    if (folder / "metrics.csv").exists():
        _draw_curves(folder / "metrics.csv", folder / "curves.png")
    write_json(folder / "summary.json", summary)
    return summary


def _check_amounts(config: TrainingConfig) -> None:
    data = config.data
    if config.network.n_classes > 1 and (data.clips or data.stills):
        raise ParameterError("network.n_classes: rendered samples know no classes; set data.clips and data.stills to 0")
    if not (data.clips or data.stills or data.datasets):
        raise ParameterError("data: there is nothing to learn from")
    if any(0 < count <= data.validation for count in (data.clips, data.stills)):
        raise ParameterError("data.validation leaves no clips, or no stills, to learn from")


def _sample_datasets(config: TrainingConfig, folder: Path, stop: Stop) -> tuple[list[Path], list[Path]]:
    """Files of samples of the user's own data, to learn from and to judge by; those that are there stay."""
    learned, judged = [], []
    for own in config.data.datasets:
        dataset = build_dataset(own.reader, own.root)
        names = [sequence.full_name for sequence in dataset] if own.sequences is None else own.sequences
        for name in names:
            key = _digest(own, name, config)
            files = [folder / f"data_{key}_{kind}.npz" for kind in ("learn", "judge")]
            learned.append(files[0])
            judged.append(files[1])
            if all(file.exists() for file in files):
                continue
            if stop.asked:
                raise KeyboardInterrupt
            model = None if own.method == "none" else build_segmenter(own.method).background
            arrays = sample_sequence(
                dataset[name],
                dataset.task,
                model,
                n_samples=own.samples,
                n_classes=config.network.n_classes,
                seed=config.data.seed,
            )
            n = len(arrays["knows"])
            if n < 2:
                raise ParameterError(f"{name}: one sample alone cannot be learned from and judged by")
            cut = n - max(1, n // 10)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                for file, part in zip(files, (slice(cut), slice(cut, n)), strict=True):
                    rows = {key: value[part] for key, value in arrays.items()}
                    write_state(file, rows, {"samples": len(rows["knows"])})
            except OSError as error:
                raise OutputError(f"{folder}: {error}") from error
    return learned, judged


def _digest(own: _Dataset, name: str, config: TrainingConfig) -> str:
    """What samples of a sequence depend on, as hexadecimal digits: where any of it changes, they are taken anew."""
    told = own.model_dump(exclude={"sequences"}) | {
        "name": name,
        "n_classes": config.network.n_classes,
        "seed": config.data.seed,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _draw_curves(table: Path, picture: Path) -> None:
    """The columns of a metrics.csv over the steps, as a PNG; nothing where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return
    steps = [int(row["step"]) for row in rows]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses, quality = figure.subplots(1, 2)
    for name in rows[0]:
        values = [float(row[name]) for row in rows]
        if name.startswith("valid_"):
            quality.plot(steps, values, label=name.removeprefix("valid_"))
        elif name not in ("step", "seconds", "learning_rate"):
            losses.plot(steps, values, label=name)
    losses.set(xlabel="step", title="training loss, weighted parts")
    quality.set(xlabel="step", title="IoU on unseen clips", ylim=(0, 1))
    for axes in (losses, quality):
        axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    try:
        with replacing(picture) as file:
            file.write(content.getvalue())
    except OSError as error:
        raise OutputError(f"{picture}: {error}") from error
