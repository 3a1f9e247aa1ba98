"""Which kernels run here, and on how many threads."""

from __future__ import annotations

from typing import NamedTuple

from . import _haline


class BackendInfo(NamedTuple):
    """What is known of a back end."""

    name: str
    """What ``backend=`` and the environment variable ``HALINE_BACKEND`` call it."""
    target: str
    """The Halide target that its kernels were compiled for; "" where not built."""
    built: bool
    """Whether this build of haline has it."""
    runs_here: bool
    """Whether this machine runs it, too."""
    reason: str
    """Why it does not run here; "" where it does."""
    gpu: bool
    """Whether it is a GPU's, to which arrays of the CPU are sent where it is named."""
    current: bool
    """Whether calls use it that name none."""


def backends() -> list[str]:
    """The names of the processor's back ends that run here, best first.

    >>> import haline
    >>> import numpy as np
    >>> haline.instance_norm(np.ones((1, 1, 4), np.float32), backend=haline.backends()[0]).tolist()
    [[[0.0, 0.0, 0.0, 0.0]]]
    """
    return [info[0] for info in _haline.backends() if info[3] and not info[5]]


def backend_info() -> list[BackendInfo]:
    """Every back end that haline has, best first, those of other processors too.

    >>> import haline
    >>> [info.name for info in haline.backend_info()]
    ['x86-avx512', 'x86-avx2', 'x86-64', 'arm-neon', 'cuda', 'opencl']
    """
    current = _haline.current_backend()
    return [BackendInfo._make((*info, info[0] == current)) for info in _haline.backends()]


def set_num_threads(threads: int) -> None:
    """Sets how many threads one call may use, the calling one included, for the whole process.

    0 is the default: the environment variable ``HALINE_NUM_THREADS``, or else the number of processors that this
    process may run on. Results do not depend on it.

    >>> import haline
    >>> haline.set_num_threads(2)
    >>> haline.num_threads()
    2
    >>> haline.set_num_threads(0)
    """
    _haline.set_num_threads(threads)


def num_threads() -> int:
    """How many threads one call may use."""
    return _haline.num_threads()
