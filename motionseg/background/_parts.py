"""What parts of a model have in common: a state of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import StateError

__all__ = ["Part", "matching_arrays"]

Arrays = Mapping[str, npt.NDArray[Any]]


def matching_arrays(owner: object, born: Arrays, given: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Copies of those of the `given` arrays that `born` names, if they are of the dtypes and shapes of the born ones.

    Raises
    ------
    StateError
        An array is missing or does not fit; the message names `owner`'s class.
    """
    who, found = type(owner).__name__, {}
    for name, like in born.items():
        array = given.get(name)
        if array is None:
            raise StateError(f"the state of {who} lacks the array {name!r}")
        if array.dtype != like.dtype or array.shape != like.shape:
            raise StateError(
                f"{who}: array {name!r} is {array.dtype} {array.shape}, expected {like.dtype} {like.shape}"
            )
        found[name] = np.array(array, order="C")
    return found


class Part:
    """Holds everything it remembers in the arrays that `_arrays` names, and all of them from the beginning."""

    _arrays: ClassVar[tuple[str, ...]]

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of them."""
        return {name.lstrip("_"): getattr(self, name).copy() for name in self._arrays}

    def load_state(self, state: Arrays) -> None:
        """Continue from what `state` gave; StateError if it does not fit, and nothing has changed."""
        found = matching_arrays(self, self.state(), state)
        vars(self).update({f"_{name}": array for name, array in found.items()})
