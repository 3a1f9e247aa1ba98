"""The gradients: against the oracle, against finite differences, and the gradient of the gradient."""

import numpy as np
import pytest

import haline
from oracle import TYPES, assert_gradient, gradients, math_type, sample

SHAPES = [(3, 4), (2, 3, 5), (1, 5, 7, 9), (3, 2, 64), (2, 3, 8, 8, 10), (1, 1, 40000)]
SLOPES = {None: 1, "relu": 0, "leaky_relu": 0.2}


def statistics(x, **options):
    return dict(zip(("mean", "rstd"), haline.instance_norm(x, return_stats=True, **options)[1:], strict=True))


@pytest.fixture(params=TYPES)
def dtype(request):
    if request.param == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 in NumPy needs ml_dtypes")
    return request.param


@pytest.mark.parametrize("activation", SLOPES)
@pytest.mark.parametrize("with_residual", [False, True])
def test_gradients(activation, with_residual, dtype, backend, ran):
    for shape in SHAPES:
        x, dy = sample(1, shape, dtype, offset=1), sample(2, shape, dtype)
        residual = sample(3, shape, dtype, offset=9) if with_residual else None  # z is nowhere near 0, where it matters
        options = {"activation": activation, "negative_slope": 0.2, "backend": backend}
        for of in [shape[1:2], shape[:2]]:
            scale, shift = sample(4, of, math_type(dtype)), sample(5, of, math_type(dtype), offset=20)
            found = haline.instance_norm_backward(
                x, dy, scale, shift, residual=residual, **options, **statistics(x, backend=backend)
            )
            ran(backend)
            expected = gradients(x, dy, scale, shift, residual=residual, slope=SLOPES[activation])
            assert len(found) == (4 if with_residual else 3)
            assert found[0].dtype == dy.dtype and found[1].dtype == found[2].dtype == math_type(dtype)
            assert_gradient(found[0], expected[0], dtype)
            for sums, planes in zip(found[1:3], expected[1:3], strict=True):
                assert_gradient(sums, planes.sum(axis=0) if len(of) == 1 else planes, str(math_type(dtype)))
            if with_residual:
                assert_gradient(found[3], expected[3], dtype)
    assert type(found) is tuple and type(found[0]) is np.ndarray


def test_without_parameters(dtype):
    x, dy = sample(6, (2, 3, 30), dtype), sample(7, (2, 3, 30), dtype)
    dx, dscale, dshift = haline.instance_norm_backward(x, dy, **statistics(x))
    expected = gradients(x, dy)
    assert_gradient(dx, expected[0], dtype)
    assert_gradient(dscale, expected[1].sum(axis=0), str(math_type(dtype)))
    assert_gradient(dshift, expected[2].sum(axis=0), str(math_type(dtype)))


def test_in_place(dtype):
    x, dy = sample(8, (2, 3, 30, 40), dtype), sample(9, (2, 3, 30, 40), dtype)
    given = statistics(x)
    dx = haline.instance_norm_backward(x, dy, **given)[0]
    for i in range(2):
        arrays = [x.copy(), dy.copy()]
        assert haline.instance_norm_backward(*arrays, **given, out=arrays[i])[0] is arrays[i]
        assert arrays[i].tobytes() == dx.tobytes()


def test_frozen(dtype, backend):
    for of in [(3,), (2, 3)]:
        x, dy = sample(10, (2, 3, 100), dtype), sample(11, (2, 3, 100), dtype)
        mean, rstd = sample(12, of, "float64"), np.abs(sample(13, of, "float64")) + 0.5
        found = haline.instance_norm_backward(x, dy, mean=mean, rstd=rstd, frozen=True, backend=backend)
        expected = gradients(x, dy, given=(mean, rstd))
        assert_gradient(found[0], expected[0], dtype)
        assert_gradient(found[1], expected[1].sum(axis=0), str(math_type(dtype)))
        assert_gradient(found[2], expected[2].sum(axis=0), str(math_type(dtype)))


def test_lengths(dtype, backend):
    x, dy, lengths = sample(14, (3, 2, 5, 90), dtype), sample(15, (3, 2, 5, 90), dtype), np.array([0, 41, 90])
    given = statistics(x, lengths=lengths)
    dx, dscale, _ = haline.instance_norm_backward(x, dy, **given, lengths=lengths, backend=backend)
    sums = np.zeros(2, np.longdouble)
    for n, length in enumerate(lengths):
        assert not dx[n, ..., length:].any()
        if length:
            expected = gradients(x[n : n + 1, ..., :length], dy[n : n + 1, ..., :length])
            assert_gradient(dx[n : n + 1, ..., :length], expected[0], dtype)
            sums += expected[1][0]
    assert_gradient(dscale, sums, str(math_type(dtype)))


def test_channels_last(dtype):
    x, dy = sample(16, (2, 3, 30, 5), dtype), sample(17, (2, 3, 30, 5), dtype)
    given = statistics(x)
    last = [np.ascontiguousarray(np.moveaxis(a, 1, -1)) for a in (x, dy)]
    found = haline.instance_norm_backward(*last, **given, channel_axis=-1)
    for one, other in zip(found, haline.instance_norm_backward(x, dy, **given), strict=True):
        one = np.moveaxis(one, -1, 1) if one.ndim > 1 else one
        assert np.ascontiguousarray(one).tobytes() == other.tobytes()
    assert found[0].flags.c_contiguous


def difference(f, at, step=1e-6):
    """The gradient of f by central differences."""
    result = np.zeros_like(at)
    for i in np.ndindex(at.shape):
        ends = []
        for sign in (1, -1):
            moved = at.copy()
            moved[i] += sign * step
            ends.append(f(moved))
        result[i] = (ends[0] - ends[1]) / (2 * step)
    return result


@pytest.mark.parametrize("activation", SLOPES)
def test_finite_differences(activation):
    shape = (2, 3, 7)
    x, v = sample(18, shape, "float64"), sample(19, shape, "float64")
    scale, shift = sample(20, shape[1:2], "float64"), sample(21, shape[1:2], "float64")
    options = {"activation": activation, "negative_slope": 0.2}
    found = haline.instance_norm_backward(x, v, scale, shift, **options, **statistics(x))
    expected = [
        difference(lambda a: np.sum(v * haline.instance_norm(a, scale, shift, **options)), x),
        difference(lambda a: np.sum(v * haline.instance_norm(x, a, shift, **options)), scale),
        difference(lambda a: np.sum(v * haline.instance_norm(x, scale, a, **options)), shift),
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def double_backward(x, g, scale, v, vscale, vshift):
    """The gradients of dy, scale and x, as docs/numerics.md has them."""
    _, mean, rstd = haline.instance_norm(x, return_stats=True)

    def spread(planes):
        return np.broadcast_to(planes, x.shape[:2])[..., None]

    def m(values):
        return values.mean(axis=2, keepdims=True)

    r, scale, vscale, vshift = spread(rstd), spread(scale), spread(vscale), spread(vshift)
    xhat = (x - spread(mean)) * r
    centred_v, centred_g = v - m(v) - xhat * m(v * xhat), g - m(g) - xhat * m(g * xhat)
    ddy = scale * r * centred_v + vscale * xhat + vshift
    dscale = np.sum(v * r * centred_g, axis=(0, 2))
    inner = xhat * (m(v * g) - m(v) * m(g) - 3 * m(v * xhat) * m(g * xhat))
    inner += m(v * xhat) * (g - m(g)) + m(g * xhat) * (v - m(v))
    return ddy, dscale, -scale * r**2 * inner + vscale * r * centred_g


def test_double_backward():
    shape = (2, 3, 9)
    x, g, v = (sample(seed, shape, "float64") for seed in (22, 23, 24))
    scale, vscale, vshift = (sample(seed, shape[1:2], "float64") for seed in (25, 26, 27))

    def loss(x, g, scale):
        dx, dscale, dshift = haline.instance_norm_backward(x, g, scale, **statistics(x))
        return np.sum(v * dx) + np.sum(vscale * dscale) + np.sum(vshift * dshift)

    expected = [
        difference(lambda a: loss(x, a, scale), g),
        difference(lambda a: loss(x, g, a), scale),
        difference(lambda a: loss(a, g, scale), x),
    ]
    for one, other in zip(double_backward(x, g, scale, v, vscale, vshift), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)
