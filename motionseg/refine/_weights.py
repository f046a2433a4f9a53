"""Weights in files: which network they are of and where they come from stands in the file's head."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from motionseg.core.errors import OutputError, StateError
from motionseg.core.state import replacing
from motionseg.refine._network import NETWORKS, build_network

__all__ = ["read_weights", "weights_path", "write_weights"]

_SHIPPED = Path(__file__).parent / "weights"
_FORMAT = "motionseg-refine-1"


def weights_path(weights: str | os.PathLike[str]) -> Path:
    """The file of weights that come with the package, by their name; any other path as it is."""
    shipped = _SHIPPED / f"{weights}.safetensors"
    return shipped if str(weights) in NETWORKS and shipped.exists() else Path(weights)


def write_weights(
    path: str | os.PathLike[str], network: torch.nn.Module, name: str, facts: dict[str, Any] | None = None
) -> None:
    """Write a network's weights as safetensors, atomically; those of convolutions in 16 bits.

    Parameters
    ----------
    path : path
    network : Module
    name : str
        Its name in `NETWORKS`.
    facts : dict
        Where they come from: JSON.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    tensors = {
        key: value.detach().to("cpu", torch.float16 if value.ndim > 1 else torch.float32).contiguous()
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    head = {"format": _FORMAT, "network": name, "facts": json.dumps(facts or {})}
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(path)) as file:
            file.write(save(tensors, head))
    except OSError as error:
        raise OutputError(f"{path}: the weights were not saved: {error}") from error


def read_weights(path: str | os.PathLike[str]) -> tuple[torch.nn.Module, str, dict[str, Any]]:
    """The network in a file (on the CPU, in evaluation mode), its name, and the facts about it.

    Raises
    ------
    StateError
        Not there, not weights of this package, cut short, or of a network that this version does not know.
    """
    if not Path(path).is_file():
        names = ", ".join(sorted(file.stem for file in _SHIPPED.glob("*.safetensors")))
        raise StateError(f"{path}: there is no such file of weights; those of the package are called: {names}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            head = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - it is no dict
    except (SafetensorError, OSError, ValueError) as error:
        raise StateError(f"{path}: not a readable safetensors file: {error}") from error
    if head.get("format") != _FORMAT:
        raise StateError(f"{path}: these weights are not of motionseg's refinement ({_FORMAT} in the file's head)")
    name = head.get("network", "")
    if name not in NETWORKS:
        raise StateError(f"{path}: weights of a network {name!r}; this version knows {', '.join(NETWORKS)}")
    try:
        facts = json.loads(head.get("facts", "{}"))
        network = build_network(name, int(facts.get("n_classes", 1)))
        own = network.state_dict()
        missing = [key for key in own if key not in tensors and not key.endswith("num_batches_tracked")]
        if missing:
            raise ValueError(f"it lacks {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""))
        network.load_state_dict({**own, **tensors})
    except (ValueError, RuntimeError) as error:
        raise StateError(f"{path}: does not fit the network {name!r}: {error}") from error
    return network.eval(), name, facts
