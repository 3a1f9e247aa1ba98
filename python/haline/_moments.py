"""Statistics in parts, and normalization by statistics that are given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _haline
from ._arrays import Array, maker_for, planes_of


@dataclass(frozen=True, eq=False)
class Moments:
    """The moments of each plane of an array, or of several together.

    >>> import haline
    >>> import numpy as np
    >>> m = haline.moments(np.float32([[[1, 3]]]))
    >>> m.count, m.mean.tolist(), m.m2.tolist(), m.variance.tolist()
    (2, [[2.0]], [[2.0]], [[1.0]])
    """

    count: int
    """The number of elements, of every plane."""
    mean: np.ndarray
    """float64 [N, C]."""
    m2: np.ndarray
    """The sum of (x - mean)^2; float64 [N, C]."""

    @property
    def variance(self) -> np.ndarray:
        """m2 / count, what apply takes."""
        variance: np.ndarray = self.m2 / self.count
        return variance


def moments(x: Array, *, channel_axis: int = 1, backend: str | None = None) -> Moments:
    """The moments of each plane of x, which may be a tile of something larger.

    Args:
        x: As for instance_norm.
        channel_axis: As for instance_norm.
        backend: As for instance_norm.

    Returns:
        The moments. Their arrays are NumPy's, whatever x is: not every library has float64.

    >>> import haline
    >>> import numpy as np
    >>> volume = np.random.default_rng(1).standard_normal((1, 2, 8, 8, 8))
    >>> whole = haline.merge([haline.moments(volume[:, :, :5]), haline.moments(volume[:, :, 5:])])
    >>> lower = haline.apply(volume[:, :, :5], mean=whole.mean, variance=whole.variance)
    >>> bool(np.abs(lower - haline.instance_norm(volume)[:, :, :5]).max() < 1e-14)
    True
    """
    planes, _ = planes_of(x, channel_axis)
    mean, m2 = np.empty(planes), np.empty(planes)
    return Moments(_haline.moments(x, mean, m2, channel_axis, backend), mean, m2)


def merge(tiles: Iterable[Moments]) -> Moments:
    """The moments of several tiles together; at least one.

    The order of two tiles does not matter, to the last bit.

    >>> import haline
    >>> import numpy as np
    >>> both = haline.merge([haline.moments(np.float32([[[1, 3]]])), haline.moments(np.float32([[[8]]]))])
    >>> both.count, both.mean.tolist(), both.m2.tolist()
    (3, [[4.0]], [[26.0]])
    """
    tiles = list(tiles)
    if not tiles:
        raise ValueError("tiles: none found, 1 and up wanted")
    counts = [tile.count for tile in tiles]
    means: list[object] = [tile.mean for tile in tiles]
    m2s: list[object] = [tile.m2 for tile in tiles]
    shape, _ = _haline.describe("mean", means[0])
    mean, m2 = np.empty(shape), np.empty(shape)
    return Moments(_haline.merge(counts, means, m2s, mean, m2), mean, m2)


def apply(
    x: Array,
    scale: Array | None = None,
    shift: Array | None = None,
    *,
    mean: Array,
    variance: Array | None = None,
    rstd: Array | None = None,
    eps: float = 1e-5,
    channel_axis: int = 1,
    activation: str | None = None,
    negative_slope: float = 0.01,
    residual: Array | None = None,
    lengths: Array | None = None,
    out: Array | None = None,
    backend: str | None = None,
) -> Any:
    """instance_norm with statistics that are given: merged, running or frozen ones.

    Args:
        x: As for instance_norm; as all that is not named here.
        scale: As for instance_norm.
        shift: As for instance_norm.
        mean: float32 or float64, [C] or [N, C].
        variance: As mean, with eps; this or rstd.
        rstd: As mean, 1 / sqrt(variance + eps).
        eps: Added to the variance.
        channel_axis: As for instance_norm.
        activation: As for instance_norm.
        negative_slope: As for instance_norm.
        residual: As for instance_norm.
        lengths: As for instance_norm.
        out: As for instance_norm.
        backend: As for instance_norm.

    Returns:
        y, as instance_norm. A NaN or an infinity of x stays where it is.

    Raises:
        ValueError: As instance_norm.
        TypeError: As instance_norm.
        MemoryError: As instance_norm.

    >>> import haline
    >>> import numpy as np
    >>> haline.apply(np.float32([[[1, 5]]]), mean=np.float32([3]), variance=np.float32([4]), eps=0).tolist()
    [[[-1.0, 1.0]]]
    """
    if mean is None:
        raise TypeError("mean: None found, an array wanted")
    maker = None if type(x) is np.ndarray else maker_for(x)
    y = out if out is not None else np.empty_like(x) if maker is None else maker.like()
    _haline.forward(
        x,
        scale,
        shift,
        y,
        eps,
        channel_axis,
        activation,
        negative_slope,
        residual,
        lengths,
        backend,
        None,
        None,
        mean,
        rstd,
        variance,
        None,
        None,
        0.1,
    )
    return y if out is not None or maker is None else maker.finish(y)
