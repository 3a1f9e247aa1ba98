"""Instance normalization as ahead-of-time compiled kernels, the same bytes on every processor.

For x of shape [N, C, *], every plane (n, c) gets mean 0 and variance 1, then a scale and a shift of its channel:

>>> import numpy as np
>>> import haline
>>> x = np.float32([[[1, 3, 3, 1], [100, 100, 300, 300]]])
>>> haline.instance_norm(x, eps=0).tolist()
[[[-1.0, 1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]]]

Arrays are NumPy's, or anything that speaks DLPack (PyTorch, JAX, CuPy, ...) or the buffer protocol, in memory that the
processor can read; they are never copied. Results are of x's kind. Elements are float32, float16, float64 or bfloat16
(NumPy's with ml_dtypes).

Every function may be called from any thread, and works without the GIL. What an argument must not be raises ValueError
or TypeError, with nothing written; the message names the argument, what was found and what was wanted:

>>> haline.instance_norm(x, scale=np.ones(3, np.float32))
Traceback (most recent call last):
ValueError: scale: shape [3] found, [2] or [1, 2] (the samples and channels of x) wanted

An array must stay what it is during a call: another thread may read it, but not write it, nor take its memory away by
``resize(refcheck=False)``.
"""

from ._backends import BackendInfo, backend_info, backends, num_threads, set_num_threads
from ._haline import version as _version
from ._moments import Moments, apply, merge, moments
from ._norm import instance_norm, instance_norm_backward

__version__: str = _version()

__all__ = [
    "BackendInfo",
    "Moments",
    "__version__",
    "apply",
    "backend_info",
    "backends",
    "instance_norm",
    "instance_norm_backward",
    "merge",
    "moments",
    "num_threads",
    "set_num_threads",
]
