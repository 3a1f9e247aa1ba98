"""What haline should give, in NumPy's widest floating point type, and how far it may be off."""

import numpy as np

Wide = np.longdouble
TYPES = ["float32", "float16", "bfloat16", "float64"]


def numpy_type(name):
    if name == "bfloat16":
        from ml_dtypes import bfloat16

        return np.dtype(bfloat16)
    return np.dtype(name)


def math_type(name):
    return np.dtype("float64" if name == "float64" else "float32")


def _spread(values, x):
    """[C], [N, C] or None (then 1) to x's rank."""
    if values is None:
        return Wide(1)
    planes = np.broadcast_to(np.asarray(values).astype(Wide), x.shape[:2])
    return planes.reshape(planes.shape + (1,) * (x.ndim - 2))


def _inner(x):
    return tuple(range(2, x.ndim))


def statistics(x, eps):
    x = x.astype(Wide)
    mean = x.mean(axis=_inner(x))
    variance = ((x - _spread(mean, x)) ** 2).mean(axis=_inner(x))
    total = variance + Wide(eps)
    rstd = np.where(total > 0, 1 / np.sqrt(np.where(total > 0, total, 1)), 0)
    return mean, variance, rstd


def act(z, slope):
    return np.where(z > 0, z, z * Wide(slope))


def before_activation(x, scale, shift, mean, rstd, residual):
    z = (x.astype(Wide) - _spread(mean, x)) * (_spread(rstd, x) * _spread(scale, x))
    if shift is not None:
        z = z + _spread(shift, x)
    return z if residual is None else z + residual.astype(Wide)


def norm(x, scale=None, shift=None, eps=1e-5, residual=None, slope=1, given=None):
    """y of x [N, C, *]; `given` is (mean, rstd)."""
    mean, rstd = given or statistics(x, eps)[::2]
    return act(before_activation(x, scale, shift, mean, rstd, residual), slope)


def gradients(x, dy, scale=None, shift=None, eps=1e-5, residual=None, slope=1, given=None):
    """dx, dscale and dshift [N, C], dresidual."""
    mean, rstd = given or statistics(x, eps)[::2]
    z = before_activation(x, scale, shift, mean, rstd, residual)
    g = np.where(z > 0, Wide(1), Wide(slope)) * dy.astype(Wide)
    xhat = (x.astype(Wide) - _spread(mean, x)) * _spread(rstd, x)
    dshift, dscale = g.sum(axis=_inner(x)), (g * xhat).sum(axis=_inner(x))
    a, size = _spread(rstd, x) * _spread(scale, x), max(1, int(np.prod(x.shape[2:])))
    if given:
        return a * g, dscale, dshift, g
    return a * (g - _spread(dshift, x) / size - xhat * _spread(dscale, x) / size), dscale, dshift, g


def rounding(expected, dtype):
    """Half a unit in the last place of the 16-bit types; 0 for the others, whose promise includes it."""
    if dtype not in ("float16", "bfloat16"):
        return 0
    bits, least = (11, -24) if dtype == "float16" else (8, -133)
    magnitude = np.maximum(np.abs(expected), Wide(2) ** (least + bits))
    return Wide("0.501") * Wide(2) ** (np.floor(np.log2(magnitude)) + 1 - bits)


def assert_close(y, expected, dtype, scale=None, promise=None):
    """|y - expected| <= promise * max(1, |expected|, |scale|), and a rounding; a NaN is never close."""
    expected = np.asarray(expected)
    assert y.shape == expected.shape
    if promise is None:
        promise = 1e-14 if dtype == "float64" else 1e-6
    unit = np.maximum(1, np.abs(expected))
    if scale is not None:
        unit = np.maximum(unit, np.abs(_spread(scale, expected)))
    error = np.abs(y.astype(Wide) - expected) - rounding(expected, dtype)
    assert np.all(error <= Wide(promise) * unit), f"off by {np.max(error / unit)} of {promise}"


def assert_gradient(found, expected, dtype):
    """As docs/numerics.md promises: relative to the largest."""
    promise = 1e-13 if dtype == "float64" else 5e-6
    largest = max(1, np.max(np.abs(expected), initial=0))
    error = np.abs(np.asarray(found).astype(Wide) - expected) - rounding(expected, dtype)
    assert found.shape == expected.shape
    assert np.all(error <= promise * largest), f"off by {np.max(error) / largest} of {promise}"


def sample(seed, shape, dtype="float32", offset=0, deviation=2):
    values = np.random.default_rng(seed).standard_normal(shape) * deviation + offset
    return values.astype(numpy_type(dtype))
