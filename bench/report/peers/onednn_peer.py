"""oneDNN: group normalization with a group for each channel, through onednn_driver.cpp, which is compiled here."""

import ctypes
import hashlib
import importlib.metadata
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

from ..cells import Cell
from ..data import Problem
from . import Prepared

SOURCE = pathlib.Path(__file__).with_name("onednn_driver.cpp")
DTYPES = {"f32": 0, "bf16": 1, "f16": 2}
POINTERS = ["x", "y", "scale", "shift", "dy", "dx", "dscale", "dshift"]


class _Problem(ctypes.Structure):
    """As in the driver."""

    _fields_ = [
        ("backward", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("shape", ctypes.c_int64 * 5),
        ("dtype", ctypes.c_int32),
        ("channels_last", ctypes.c_int32),
        ("eps", ctypes.c_float),
        ("slope", ctypes.c_float),
        *[(name, ctypes.c_void_p) for name in POINTERS],
    ]


def compile_driver(prefix: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The driver as a shared library in `folder`, compiled unless it is there."""
    flags = ["-O2", "-std=c++17", "-shared", "-fPIC", f"-I{prefix}/include", f"-L{prefix}/lib"]
    # An RPATH, which what oneDNN loads is found by too.
    flags += [f"-Wl,--disable-new-dtags,-rpath,{prefix}/lib", f"-Wl,-rpath-link,{prefix}/lib"]
    key = hashlib.sha256(SOURCE.read_bytes() + repr(flags).encode()).hexdigest()[:12]
    library = folder / f"onednn_driver-{key}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = library.with_suffix(f".{os.getpid()}")
        command = [os.environ.get("CXX", "c++"), str(SOURCE), *flags, "-ldnnl", "-o", str(unfinished)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"the driver does not compile: {done.stderr.splitlines()[0]}")
        unfinished.rename(library)
    return library


class OneDnn:
    """Its SYCL runtime, the one on PyPI, on Intel's OpenCL for processors."""

    name = "onednn"

    def __init__(self, library: pathlib.Path, version: str):
        """Loads the driver."""
        self.version = version
        self.driver = ctypes.CDLL(str(library))
        self.driver.driver_prepare.argtypes = [ctypes.POINTER(_Problem)]
        self.driver.driver_prepare.restype = ctypes.c_void_p
        self.driver.driver_run.argtypes = [ctypes.c_void_p, ctypes.c_int64]
        self.driver.driver_free.argtypes = [ctypes.c_void_p]
        self.driver.driver_implementation.argtypes = [ctypes.c_void_p]
        self.driver.driver_implementation.restype = ctypes.c_char_p
        self.driver.driver_message.restype = ctypes.c_char_p
        if self.driver.driver_start():
            raise RuntimeError(self.driver.driver_message().decode())

    def refuses(self, cell: Cell) -> str:
        """What it refuses depends on the processor; prepare() finds out."""
        return ""

    def prepare(self, problem: Problem) -> Prepared:
        """A primitive. Several calls of a block wait once, as a network's layers would."""
        cell = problem.cell
        backward = cell.direction == "backward"
        gradients = [np.zeros(cell.shape[1], np.float32) for _ in range(2)]
        y = np.empty_like(problem.x) if backward else problem.out
        arrays = [problem.x, y, problem.scale, problem.shift, problem.dy, problem.out, *gradients]
        pointers = [None if array is None else array.ctypes.data for array in arrays]
        shape = (ctypes.c_int64 * 5)(*cell.shape)
        last = int(cell.layout == "nhwc")
        described = _Problem(
            int(backward), len(cell.shape), shape, DTYPES[cell.dtype], last, problem.eps, cell.slope, *pointers
        )
        handle = self.driver.driver_prepare(ctypes.byref(described))
        if not handle:
            raise RuntimeError(self.driver.driver_message().decode())
        owner = _Owner(self.driver, handle, arrays)

        def timer(times: int) -> float:
            start = time.perf_counter()
            if self.driver.driver_run(owner.handle, times):
                raise RuntimeError(self.driver.driver_message().decode())
            return time.perf_counter() - start

        def results() -> dict:
            out = problem.planes_first(problem.out)
            return {"dx": out, "dscale": gradients[0], "dshift": gradients[1]} if backward else {"y": out}

        how = self.driver.driver_implementation(handle).decode()
        return Prepared(lambda: timer(1), results, how, timer)


class _Owner:
    """Frees the driver's object, and keeps its memory until then."""

    def __init__(self, driver: ctypes.CDLL, handle: int, arrays: list):
        self.driver, self.handle, self.arrays = driver, handle, arrays

    def __del__(self):
        self.driver.driver_free(self.handle)


def load(threads: int) -> OneDnn:
    """OneDNN with so many threads."""
    prefix = pathlib.Path(sys.prefix)
    os.environ.setdefault("OCL_ICD_FILENAMES", str(prefix / "lib/libintelocl.so"))
    os.environ["DPCPP_CPU_NUM_CUS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
    library = compile_driver(prefix, pathlib.Path(__file__).resolve().parents[3] / "build/peers")
    return OneDnn(library, importlib.metadata.version("onednn"))
