"""The commands of the command line that measure: ``datasets``, ``bench``, ``score`` and ``report``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from motionseg.apps.manners import FAILED, FrameProgress, Json, console, errors, exit_if_interrupted

_MOST_LINES = 20

__all__ = ["bench", "datasets", "report", "score"]

Key = Annotated[str, typer.Argument(metavar="DATASET", help="'motionseg datasets' lists them.")]
Root = Annotated[str | None, typer.Argument(metavar="ROOT", help="Its folder (none for synthetic).")]
Sequences = Annotated[str | None, typer.Option(metavar="A,B", help="Only these sequences.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the results in a DIR that is not empty.")]


def datasets(json_: Json = False) -> None:
    """List the datasets that can be read: layout, home page, citation, terms. Nothing is downloaded."""
    from motionseg.core import catalog

    rows = []
    for name in catalog.names("datasets"):
        cls = catalog.find("datasets", name)
        rows.append({"name": name, "task": cls.task, **vars(cls.info)})
    if json_:
        print(json.dumps({"datasets": rows}))
        return
    for row in rows:
        table = Table(show_header=False, box=None, padding=(0, 1))
        for fact in ("layout", "home", "citation", "licence"):
            table.add_row(Text(f"  {fact}", style="dim"), Text(row[fact]))
        console().print(Text(f"{row['name']}: {row['title']} [{row['task']}]", style="bold"))
        console().print(table)


def bench(
    dataset: Key,
    root: Root = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")],
    methods: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="Models of 'motionseg models', NAME+guard+camera, auto, your own module:Class."
        ),
    ] = "auto",
    sequences: Sequences = None,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Processes at a time.")] = 1,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="METHOD.KEY=VALUE", help="Parameter of a method.")
    ] = None,
    save_masks: Annotated[bool, typer.Option("--save-masks", help="Keep the results as the benchmark takes them.")] = (
        False
    ),
    offline: Annotated[
        bool, typer.Option("--offline", help="Learn each background from the whole sequence first.")
    ] = False,
    overwrite: Overwrite = False,
    resume: Annotated[bool, typer.Option("--resume", help="Run only what is missing in DIR.")] = False,
    json_: Json = False,
) -> None:
    """Run methods on a dataset and judge them by its official rule; one JSON record for each sequence."""
    from motionseg.apps.bench_job import bench_to_folder
    from motionseg.apps.config import parse_settings

    with errors(json_), FrameProgress("measuring") as progress:
        summary = bench_to_folder(
            dataset,
            root,
            output,
            methods=_names(methods),
            sequences=_names(sequences),
            settings=parse_settings(settings or []),
            jobs=jobs,
            save_masks=save_masks,
            offline=offline,
            overwrite=overwrite,
            resume=resume,
            on_start=progress.expect,
            on_frames=progress.advance_to,
        )
    _conclude(summary, json_, f"interrupted: {output} holds what is done; --resume goes on")


def score(
    dataset: Key,
    root: Root,
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="Folder in the benchmark's submission layout.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Keep records and pictures here.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the method; default: the folder's name.")] = None,
    sequences: Sequences = None,
    overwrite: Overwrite = False,
    json_: Json = False,
) -> None:
    """Judge results that any program wrote, by the dataset's official rule."""
    from motionseg.apps.score_job import score_folder

    with errors(json_), FrameProgress("scoring") as progress:
        summary = score_folder(
            dataset,
            root,
            results,
            name=name,
            sequences=_names(sequences),
            folder=output,
            overwrite=overwrite,
            on_start=progress.expect,
            on_frames=progress.advance_to,
        )
    _conclude(summary, json_, "interrupted: these are the sequences until then")


def report(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of 'bench' or 'score'.")],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="For report.html and .md; default: the first DIR."),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="METHOD|DIR", help="Show differences to this method or run.")
    ] = None,
    json_: Json = False,
) -> None:
    """Make one page of benchmark runs: tables with ranks, plots, and the worst frames as pictures."""
    from motionseg.apps.report import write_report

    with errors(json_):
        written = write_report(folders, output or folders[0], baseline=baseline)
    print(json.dumps({"files": [str(path) for path in written]}) if json_ else "\n".join(f"wrote {p}" for p in written))


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] if text is not None else None


def _conclude(summary: dict[str, Any], json_: bool, if_interrupted: str) -> None:
    """Print the tables; end with 130 where the run was interrupted, with 3 where a sequence failed."""
    if json_:
        print(json.dumps(summary))
    else:
        console().print(_table(summary))
    damaged = dict.fromkeys(f"{_where(row)}: {what}" for row in summary["rows"] for what in row.get("problems", ()))
    for line in list(damaged)[:_MOST_LINES]:
        print(f"damaged: {line}", file=sys.stderr)
    if len(damaged) > _MOST_LINES:
        print(f"damaged: and {len(damaged) - _MOST_LINES} more", file=sys.stderr)
    failed = [row for row in summary["rows"] if row["error"]]
    for row in failed:
        print(f"failed: {row['method']} on {_where(row)}: {row['error']}", file=sys.stderr)
    exit_if_interrupted(summary, if_interrupted)
    if failed:
        raise typer.Exit(FAILED)


def _where(row: dict[str, Any]) -> str:
    return "/".join(part for part in (row["category"], row["sequence"]) if part)


def _table(summary: dict[str, Any]) -> Table:
    """A row for each sequence, and for each method its mean."""
    from motionseg.apps.records import MAIN_MEASURES, format_number

    measures = MAIN_MEASURES[summary["task"]]
    together = "sum of" if summary["task"] == "boxes" else "mean of"
    table = Table("method", "sequence", *measures, "frames/s")
    for column in table.columns[2:]:
        column.justify = "right"
    for method, mean in summary["means"].items():
        for row in summary["rows"]:
            if row["method"] == method:
                where = _where(row)
                cells = ["failed"] if row["error"] else [format_number(name, row.get(name)) for name in measures]
                table.add_row(
                    method, where, *cells, *[""] * (len(measures) - len(cells)), format_number("fps", row["fps"])
                )
        cells = [format_number(name, mean["overall"].get(name)) for name in (*measures, "fps")]
        table.add_row(method, f"{together} {mean['sequences']}", *cells, style="bold")
        table.add_section()
    return table
