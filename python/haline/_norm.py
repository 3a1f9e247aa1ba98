"""The operator and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _haline
from ._arrays import Array, maker_for, planes_of


def instance_norm(
    x: Array,
    scale: Array | None = None,
    shift: Array | None = None,
    *,
    eps: float = 1e-5,
    channel_axis: int = 1,
    activation: str | None = None,
    negative_slope: float = 0.01,
    residual: Array | None = None,
    lengths: Array | None = None,
    out: Array | None = None,
    backend: str | None = None,
    return_stats: bool = False,
    running_mean: Array | None = None,
    running_variance: Array | None = None,
    momentum: float = 0.1,
) -> Any:
    """y = act(scale * (x - mean) / sqrt(var + eps) + shift + residual), mean and var of each plane of x.

    Args:
        x: [N, C, *], of rank 2 and up. A plane (n, c) is what the other axes span. Any strides, as long as a plane's
            axes collapse to at most 4 loops.
        scale: [C] or [N, C], of x's type or float32 (float64 where x is); None: ones.
        shift: As scale; None: zeros.
        eps: Added to the variance; 0 and up.
        channel_axis: Where x has its channels, -1 for channels-last; the first of the other axes is N. The same for
            residual and out. Nothing is copied.
        activation: None, "relu" or "leaky_relu".
        negative_slope: That of "leaky_relu".
        residual: Added before the activation; of x's shape and type.
        lengths: int32 or int64 [N]: of each sample's last axis (the last but the channels'), only so many elements
            count; beyond them y is 0.
        out: Where y goes, of x's shape and type, any strides; x itself or residual too, but no part of them.
        backend: One of backends(); None: the best, or what ``HALINE_BACKEND`` says.
        return_stats: Whether to return each plane's mean and 1 / sqrt(var + eps) too, for instance_norm_backward.
        running_mean: float32 or float64 [C], updated: (1 - momentum) * running + momentum * the mean over the samples.
        running_variance: The same of the unbiased variance.
        momentum: Of these two; 0 to 1.

    Returns:
        y, of x's kind and type and with its axes in memory as x's lie, or out; with return_stats (y, mean, rstd), the
        last two [N, C] of float32 (float64 where x is).

    Raises:
        ValueError: A shape, type, stride or number that does not fit; `out` that is read-only; an array of a device.
        TypeError: No array; elements that are no floating point numbers in the machine's byte order; a masked array.
        MemoryError: No memory for y, or to work with.

    >>> import haline
    >>> import numpy as np
    >>> x = np.float32([[[1, 3], [5, 5]]])                                          # [1, 2, 2]
    >>> haline.instance_norm(x, eps=0).tolist()                                     # a constant plane is its shift
    [[[-1.0, 1.0], [0.0, 0.0]]]
    >>> haline.instance_norm(x, np.float32([10, 1]), np.float32([0, 7]), eps=0, activation="relu").tolist()
    [[[0.0, 10.0], [7.0, 7.0]]]
    >>> y, mean, rstd = haline.instance_norm(x, eps=0, return_stats=True)
    >>> mean.tolist(), rstd.tolist()
    ([[2.0, 5.0]], [[1.0, 0.0]])
    >>> picture = np.zeros((1, 480, 640, 3), np.float16)                            # channels last
    >>> haline.instance_norm(picture, channel_axis=-1, out=picture) is picture      # in place
    True
    >>> haline.instance_norm(x, channel_axis=3)
    Traceback (most recent call last):
    ValueError: channel_axis: 3 found, -3 to 2 wanted for x of rank 3
    """
    maker = None
    if out is not None:
        y = out
    elif type(x) is np.ndarray:
        y = np.empty_like(x)
    else:
        maker = maker_for(x)
        y = maker.like()
    mean = rstd = None
    if return_stats:
        maker = maker or maker_for(x)
        planes, math = planes_of(x, channel_axis)
        mean, rstd = maker.empty(planes, math), maker.empty(planes, math)
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
        mean,
        rstd,
        None,
        None,
        None,
        running_mean,
        running_variance,
        momentum,
    )
    if out is None and maker is not None:
        y = maker.finish(y)
    return (y, maker.finish(mean), maker.finish(rstd)) if maker is not None and return_stats else y


def instance_norm_backward(
    x: Array,
    dy: Array,
    scale: Array | None = None,
    shift: Array | None = None,
    *,
    mean: Array,
    rstd: Array,
    eps: float = 1e-5,
    channel_axis: int = 1,
    activation: str | None = None,
    negative_slope: float = 0.01,
    residual: Array | None = None,
    lengths: Array | None = None,
    frozen: bool = False,
    out: Array | None = None,
    backend: str | None = None,
) -> tuple[Any, ...]:
    """The gradients of instance_norm, given that of its result.

    Args:
        x: What instance_norm was given; as all that is not named here.
        dy: The gradient of its result; x's shape and type.
        scale: As it was given.
        shift: As it was given; it matters only where there is an activation.
        mean: What instance_norm returned; float32 or float64 [N, C]. Frozen: what apply was given, [C] too.
        rstd: As mean.
        eps: As it was given.
        channel_axis: As it was given; dy and out have it too.
        activation: As it was given.
        negative_slope: As it was given.
        residual: As it was given.
        lengths: As they were given.
        frozen: Whether mean and rstd were given to the forward pass (apply), and do not depend on x.
        out: Where dx goes; x itself or dy too.
        backend: As in instance_norm.

    Returns:
        (dx, dscale, dshift), and dresidual where there is a residual. dscale and dshift are float32 (float64 where x
        is), of the shape of scale and shift; where there are none, [C], summed over the samples.

    Raises:
        ValueError: As instance_norm.
        TypeError: As instance_norm.
        MemoryError: As instance_norm.

    >>> import haline
    >>> import numpy as np
    >>> x = np.float32([[[1, 2, 6]]])
    >>> y, mean, rstd = haline.instance_norm(x, return_stats=True)
    >>> dx, dscale, dshift = haline.instance_norm_backward(x, np.float32([[[1, 0, 0]]]), mean=mean, rstd=rstd)
    >>> [np.round(gradient, 2).astype(float).round(2).tolist() for gradient in (dx, dscale, dshift)]
    [[[[0.18, -0.22, 0.04]]], [-0.93], [1.0]]
    """
    maker = maker_for(x)
    planes, math = planes_of(x, channel_axis)
    dx = maker.like() if out is None else out
    dscale = maker.empty(planes[1:] if scale is None else _shape("scale", scale), math)
    dshift = maker.empty(planes[1:] if shift is None else _shape("shift", shift), math)
    dresidual = None if residual is None else maker.like()
    _haline.backward(
        x,
        dy,
        scale,
        shift,
        mean,
        rstd,
        dx,
        dscale,
        dshift,
        dresidual,
        eps,
        channel_axis,
        activation,
        negative_slope,
        residual,
        lengths,
        frozen,
        backend,
    )
    results = (maker.finish(dx) if out is None else out, maker.finish(dscale), maker.finish(dshift))
    return results if dresidual is None else (*results, maker.finish(dresidual))


def _shape(name: str, array: Array) -> tuple[int, ...]:
    shape: tuple[int, ...] = _haline.describe(name, array)[0]
    return shape
