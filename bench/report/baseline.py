"""The speed of memory: copies, and sums of two tensors, of bench/copy.cpp and bench/stream.cpp."""

import ctypes
import pathlib

from .data import Problem
from .measure import Timer


class Baseline:
    """What libhaline_baseline.so of a build folder has."""

    def __init__(self, library: pathlib.Path, threads: int):
        """Loads the library."""
        self.threads = threads
        self.library = ctypes.CDLL(str(library))
        pointer, size, count = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64
        for name, arrays in (("copy", 2), ("stream", 3)):
            getattr(self.library, f"haline_baseline_{name}_name").restype = ctypes.c_char_p
            timed = getattr(self.library, f"haline_baseline_{name}")
            timed.argtypes = [ctypes.c_int, *[pointer] * arrays, size, ctypes.c_int, count]
            timed.restype = ctypes.c_double

    def timers(self, problem: Problem) -> dict[str, Timer]:
        """Every way to move the bytes of a problem: "copy: memcpy", ..., or "stream: plain", ..."""
        arrays = [problem.out, problem.x] + ([] if problem.dy is None else [problem.dy])
        kind = "copy" if problem.dy is None else "stream"
        pointers = [array.ctypes.data for array in arrays]
        floats = problem.x.nbytes // 4
        name_of = getattr(self.library, f"haline_baseline_{kind}_name")
        timed = getattr(self.library, f"haline_baseline_{kind}")

        def timer(which: int) -> Timer:
            return lambda times: timed(which, *pointers, floats, self.threads, times)

        timers = {}
        while name := name_of(len(timers)):
            timers[f"{kind}: {name.decode()}"] = timer(len(timers))
        return timers


def is_baseline(who: str) -> bool:
    """Whether a name is one of Baseline.timers'."""
    return who.startswith(("copy: ", "stream: "))
