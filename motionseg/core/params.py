"""Constructor parameters as data: `params()`, `clone()` and `repr` from the signature alone."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from motionseg.core.errors import ParameterError

__all__ = ["Parametrized", "signature_defaults"]

P = TypeVar("P", bound="Parametrized")


def signature_defaults(cls: type) -> dict[str, Any]:
    """Name -> default of every keyword-only constructor parameter of `cls`, in order."""
    parameters = list(inspect.signature(cls).parameters.values())
    return {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}


class Parametrized:
    """Base of objects whose constructor takes keyword-only numbers and stores each under its name."""

    def params(self) -> dict[str, Any]:
        """The constructor's parameters and their present values, in the signature's order."""
        return {name: getattr(self, name) for name in signature_defaults(type(self))}

    def clone(self: P, **changes: Any) -> P:
        """A fresh object with the same parameters (except `changes`) and nothing learned.

        Raises
        ------
        ParameterError
            `changes` names a parameter that does not exist, or gives one a value out of range.
        """
        known = self.params()
        for name in changes:
            if name not in known:
                raise ParameterError(f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}")
        return type(self)(**{**known, **changes})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.params().items())})"
