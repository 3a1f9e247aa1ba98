"""haline through its C interface, called in a loop in C: what is left when Python's share of a call is taken away.

This is what is held beside the copies, which have no Python in them either; peers meet haline's Python package.
"""

import ctypes
import os
import pathlib

import numpy as np

import haline

from ..c_interface import BFLOAT, CPU, FLOAT, Options, Tensor, tensor
from ..cells import Cell
from ..data import Problem
from . import Prepared

LEAKY_RELU = 2  # haline.h's
DTYPES = {"f32": (FLOAT, 32), "f16": (FLOAT, 16), "bf16": (BFLOAT, 16)}


def _tensor(array: np.ndarray, dtype: str = "f32") -> ctypes.POINTER(Tensor):
    """A tensor over the same memory, with the array's strides; it keeps the array."""
    strides = [stride // array.itemsize for stride in array.strides]
    return ctypes.pointer(tensor(array.ctypes.data, (CPU, 0), DTYPES[dtype], array.shape, strides, array))


class HalineC:
    """The shared library inside the Python package."""

    name = "haline-c"

    def __init__(self, threads: int):
        """Loads the library, and what calls it in a loop."""
        self.library = ctypes.CDLL(str(pathlib.Path(haline.__file__).parent / "lib/libhaline.so"))
        self.library.haline_version.restype = ctypes.c_char_p
        self.library.haline_last_target.restype = ctypes.c_char_p
        self.library.haline_error_message.restype = ctypes.c_char_p
        self.library.haline_set_num_threads(threads)
        self.version = self.library.haline_version().decode()
        self.loops = ctypes.CDLL(os.environ["HALINE_BASELINE"])

    def refuses(self, cell: Cell) -> str:
        """Nothing."""
        return ""

    def prepare(self, problem: Problem) -> Prepared:
        """As haline_peer, with tensors made once."""
        cell = problem.cell
        options = Options(ctypes.sizeof(Options), problem.eps, negative_slope=cell.slope, momentum=0.1)
        options.activation = 0 if cell.slope == 1 else LEAKY_RELU
        x, out = (_tensor(problem.planes_first(array), cell.dtype) for array in (problem.x, problem.out))
        scale, shift = _tensor(problem.scale), _tensor(problem.shift)
        forward = self._timer("forward", "haline_instance_norm", [x, scale, shift, out], options)
        if problem.dy is None:
            timer = forward
            results = {"y": problem.planes_first(problem.out)}
        else:
            gradients = [np.empty(cell.shape[1], np.float32) for _ in range(2)]
            statistics = [_tensor(np.empty(cell.shape[:2], np.float32)) for _ in range(2)]
            options.mean, options.rstd = statistics
            forward(1)
            options.mean = options.rstd = None
            dy = _tensor(problem.planes_first(problem.dy), cell.dtype)
            arguments = [x, dy, scale, shift, *statistics, out, *map(_tensor, gradients)]
            timer = self._timer("backward", "haline_instance_norm_backward", arguments, options)
            results = {"dx": problem.planes_first(problem.out), "dscale": gradients[0], "dshift": gradients[1]}
        timer(1)
        how = self.library.haline_last_target().decode()
        return Prepared(lambda: timer(1), lambda: results, how, timer)

    def _timer(self, which: str, name: str, tensors: list, options: Options):
        loop = getattr(self.loops, f"haline_baseline_{which}")
        loop.restype = ctypes.c_double
        function = ctypes.cast(getattr(self.library, name), ctypes.c_void_p)

        def timer(times: int) -> float:
            seconds = loop(function, *tensors, ctypes.byref(options), ctypes.c_int64(times))
            if seconds < 0:
                raise RuntimeError(self.library.haline_error_message().decode())
            return seconds

        return timer


def load(threads: int) -> HalineC:
    """The library that the package brings."""
    return HalineC(threads)
