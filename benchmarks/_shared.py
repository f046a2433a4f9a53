"""What the scripts beside this file share: taking turns, rows, and what a figure has to say of its origin."""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
# Options whose words differ from machine to machine.
_SECRET = {"--data": "DIR", "--sequences": "DIR", "--out": "DIR", "--peer-python": "PYTHON"}


def timed(work: Callable[[], Any]) -> float:
    """Seconds that one call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turns(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Medians in seconds of the two, called in turns, the first to go changing from round to round."""
    a, b = [], []
    for i in range(rounds):
        if i % 2:
            b.append(timed(theirs))
            a.append(timed(ours))
        else:
            a.append(timed(ours))
            b.append(timed(theirs))
    return statistics.median(a), statistics.median(b)


def say(row: Row) -> Row:
    """Print a row as it comes; return it."""
    print("  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()), flush=True)
    return row


def missing(what: str, option: str) -> list[Row]:
    """Say that a figure is left out."""
    return [say({"what": what, "left_out": f"needs {option}"})]


def command() -> str:
    """The command line without what differs from machine to machine: folders by their role, files by their name."""
    words = [f"python benchmarks/{Path(sys.argv[0]).name}"]
    for before, word in zip(["", *sys.argv[1:]], sys.argv[1:], strict=False):
        if word.endswith(".json"):
            words.append(Path(word).name if Path(word).is_absolute() else word)
        else:
            words.append(_SECRET.get(before, word))
    return " ".join(words)


def machine() -> Row:
    """Processor, cores and versions."""
    doctor = subprocess.run([sys.executable, "-m", "motionseg", "doctor", "--json"], capture_output=True, check=True)
    facts = json.loads(doctor.stdout)
    return {key: facts[key] for key in ("processor", "cores", "versions")} | {"system": platform.system()}


def write_rows(path: Path, rows: list[Row], **more: Any) -> None:
    """Write rows with the command, the date and the machine that they come from."""
    origin = {"command": command(), "date": time.strftime("%Y-%m-%d"), "machine": machine()}
    text = json.dumps({**origin, "rows": rows, **more})
    rounded = json.loads(text, parse_float=lambda digits: float(f"{float(digits):.6g}"))
    path.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
