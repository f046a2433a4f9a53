"""The commands of the command line about the refinement network: ``train``, ``adapt`` and ``export``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from motionseg.apps.manners import FrameProgress, Json, errors, exit_if_interrupted
from motionseg.core.errors import ParameterError

__all__ = ["adapt", "export", "train"]


def export(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    format: Annotated[str, typer.Option(help="onnx, torchscript or pt2 (torch.export).")] = "onnx",
    weights: Annotated[str, typer.Option(metavar="NAME|FILE", help="small, or a file that 'train' wrote.")] = "small",
    width: Annotated[
        int | None, typer.Option(metavar="W", help="For frames of this size only, multiples of 32; default: any.")
    ] = None,
    height: Annotated[int | None, typer.Option(metavar="H", help="As --width; give both.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a FILE that is there.")] = False,
    json_: Json = False,
) -> None:
    """Write the refinement network as one file that onnxruntime, OpenVINO, TensorRT or torch alone can run."""
    from motionseg.refine import export_network

    with errors(json_):
        if (width is None) != (height is None):
            raise ParameterError("--width and --height come together")
        size = None if width is None or height is None else (height, width)
        summary = export_network(output, weights=weights, format=format, size=size, overwrite=overwrite)
    if json_:
        print(json.dumps(summary))
        return
    sides = "any size" if size is None else f"{width}x{height}"
    print(
        f"{summary['network']} ({summary['parameters']:,} parameters), {summary['format']}, {sides}, "
        f"{summary['bytes'] / 1e6:.1f} MB: {output}"
    )


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
        rendering = FrameProgress("rendering", settings.data.clips + settings.data.stills, unit="files")
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


def adapt(
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="Footage of your camera, without labels.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The safetensors file to write.")],
    weights: Annotated[str, typer.Option(metavar="NAME|FILE", help="The weights to start from.")] = "small",
    model: Annotated[str, typer.Option(metavar="NAME", help="Whose masks are to be refined.")] = "auto",
    frames: Annotated[int, typer.Option(metavar="N", min=20, help="How many frames of the clip to use.")] = 400,
    steps: Annotated[int, typer.Option(metavar="N", min=1, help="How long to learn.")] = 300,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a FILE that is there.")] = False,
    json_: Json = False,
) -> None:
    """Fit the refinement network to one camera: it learns what several models agree on; kept if it got better."""
    from motionseg.apps.adapt_job import adapt_to_clip

    with errors(json_):
        watching = FrameProgress("watching", 5, unit="passes")
        learning = FrameProgress("learning", steps, unit="steps")
        with watching, learning:
            summary = adapt_to_clip(
                clip,
                output,
                weights=weights,
                model=model,
                n_frames=frames,
                steps=steps,
                device=device,
                overwrite=overwrite,
                on_pass=watching.advance_to,
                on_step=lambda done, loss: learning.advance_to(done),
            )
    if json_:
        print(json.dumps(summary))
    elif summary["complete"]:
        told = f"agreement on the last fifth of {summary['frames']} frames: IoU {summary['iou_before']:.3f} before, "
        kept = f"weights: {output}" if summary["kept"] else "no better, so nothing is written"
        print(f"{told}{summary['iou_after']:.3f} after; {kept}")
    exit_if_interrupted(summary, "interrupted: nothing is written")
    if not summary["kept"]:
        raise typer.Exit(1)
