"""The commands of the command line that teach the refinement network: ``train``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from motionseg.apps.manners import FrameProgress, Json, errors, exit_if_interrupted

__all__ = ["train"]


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Data, network and training.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the run.")],
    root: Annotated[
        Path | None, typer.Option(metavar="TRAIN", help="Photographs and cut-outs, instead of the config's data.root.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in DIR.")] = False,
    json_: Json = False,
) -> None:
    """Teach a refinement network: render clips, run the models on them, learn. Can be stopped and resumed."""
    from motionseg.apps.train_job import read_config, train_in_folder

    with errors(json_):
        settings = read_config(config, root)
        rendering = FrameProgress("rendering", settings.data.clips, unit="clips")
        learning = FrameProgress("learning", settings.training.steps, unit="steps")
        with rendering, learning:
            summary = train_in_folder(
                settings,
                output,
                resume=resume,
                on_clip=rendering.advance_to,
                on_step=lambda done, loss: learning.advance_to(done),
            )
    if json_:
        print(json.dumps(summary))
    elif summary["complete"]:
        print(f"{summary['steps']} steps, IoU {summary['best_iou']:.3f} on unseen clips: {output / 'best.safetensors'}")
    exit_if_interrupted(summary, f"interrupted: {output} holds the run so far; --resume continues")
