"""What the checks of all stages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from motionseg.core.errors import ParameterError
from motionseg.core.params import Parametrized

__all__ = ["check_parameters", "raises", "require", "same_arrays"]


def require(condition: Any, who: object, promise: str) -> None:
    if not condition:
        raise AssertionError(f"{type(who).__name__}: {promise}")


def same_arrays(a: dict[str, npt.NDArray[Any]], b: dict[str, npt.NDArray[Any]]) -> bool:
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and np.array_equal(a[k], b[k], equal_nan=a[k].dtype.kind == "f") for k in a
    )


def raises(error: type[Exception], call: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
    try:
        call(*args, **kwargs)
    except error:
        return True
    except Exception:  # another one than was promised
        return False
    return False


def check_parameters(model: Parametrized) -> None:
    """Parameters are stored under their names, and clones have the same."""
    require(model.clone().params() == model.params(), model, "clone() keeps the parameters")
    require(all(f"{k}={v!r}" in repr(model) for k, v in model.params().items()), model, "repr shows the parameters")
    require(raises(ParameterError, model.clone, no_such_parameter=1), model, "unknown parameters are refused")
