"""Results of the kind that an argument was: NumPy's, or another library's through DLPack."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from . import _haline

Array = Any  # NumPy's, or one with __dlpack__ or the buffer protocol


class Maker(Protocol):
    """Makes memory for results, and turns it into what is returned."""

    def like(self) -> Array:
        """An array of x's shape and type, its elements not set."""

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        """An array, its elements not set."""

    def finish(self, result: Array) -> Array:
        """The result as its user sees it."""


class _NumPyMaker:
    def __init__(self, x: Array) -> None:
        self._x = x

    def like(self) -> np.ndarray:
        if isinstance(self._x, np.ndarray):
            return np.empty_like(self._x, subok=False)
        shape, dtype = _haline.describe("x", self._x)
        return np.empty(shape, _numpy_type(dtype))

    def empty(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        return np.empty(shape, dtype)

    def finish(self, result: np.ndarray) -> np.ndarray:
        return result


class _DlpackMaker:
    def __init__(self, x: Array, from_dlpack: Callable[[Any], Any]) -> None:
        self._x = x
        self._from_dlpack = from_dlpack

    def like(self) -> Array:
        return _haline.empty_like(self._x)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Array:
        return _haline.empty(shape, dtype)

    def finish(self, result: Array) -> Array:
        return self._from_dlpack(result)


def _numpy_type(name: str) -> Any:
    if name != "bfloat16":
        return np.dtype(name)
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise TypeError("x: bfloat16 elements found, which NumPy has with the package ml_dtypes alone") from None
    return bfloat16


def _from_dlpack_of(x: Array) -> Callable[[Any], Any] | None:
    """The function by which the library that x comes from takes DLPack tensors, if it is to be found."""
    libraries = [x.__array_namespace__()] if hasattr(x, "__array_namespace__") else []
    libraries += [sys.modules.get(base.__module__.partition(".")[0]) for base in type(x).__mro__]
    functions: list[Callable[[Any], Any]] = [m.from_dlpack for m in libraries if hasattr(m, "from_dlpack")]
    return functions[0] if functions else None


def maker_for(x: Array) -> Maker:
    """What makes results of x's kind."""
    if not isinstance(x, np.ndarray) and hasattr(x, "__dlpack__"):
        from_dlpack = _from_dlpack_of(x)
        if from_dlpack is not None:
            return _DlpackMaker(x, from_dlpack)
    return _NumPyMaker(x)


def planes_of(x: Array, channel_axis: int) -> tuple[tuple[int, ...], str]:
    """[N, C] of x, and "float64" if it has such elements, else "float32"."""
    shape, dtype = _haline.describe("x", x)
    math = "float64" if dtype == "float64" else "float32"
    if len(shape) < 2 or not -len(shape) <= channel_axis < len(shape):
        return (0, 0), math  # the call itself will say what is wrong
    axis = channel_axis % len(shape)
    return (shape[1 if axis == 0 else 0], shape[axis]), math
