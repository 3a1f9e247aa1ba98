"""Every form of the forward pass, in every type, on every back end."""

import numpy as np
import pytest

import haline
from oracle import TYPES, Wide, act, assert_close, math_type, norm, numpy_type, sample, statistics

SHAPES = [(3, 4), (2, 3, 5), (1, 5, 7, 9), (3, 2, 64), (2, 3, 8, 8, 10), (1, 1, 40000)]
SLOPES = {None: 1, "relu": 0, "leaky_relu": 0.2}

pytestmark = pytest.mark.parametrize("dtype", TYPES)


@pytest.fixture(autouse=True)
def needs_bfloat16(dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 in NumPy needs ml_dtypes")


def parameters(shape, dtype, kind):
    """Scale and shift: of each channel, or of each channel of each sample."""
    of = shape[1:2] if kind == "channel" else shape[:2]
    return sample(5, of, math_type(dtype)), sample(6, of, math_type(dtype))


@pytest.mark.parametrize("shape", SHAPES)
def test_plain(shape, dtype, backend, ran):
    x = sample(1, shape, dtype, offset=3)
    before = x.copy()
    y = haline.instance_norm(x, backend=backend)
    ran(backend)
    assert type(y) is np.ndarray and y.dtype == x.dtype and y is not x
    assert x.tobytes() == before.tobytes()
    assert_close(y, norm(x), dtype)


@pytest.mark.parametrize("kind", ["channel", "sample"])
@pytest.mark.parametrize("shape", SHAPES)
def test_scale_and_shift(shape, kind, dtype, backend):
    x = sample(2, shape, dtype)
    scale, shift = parameters(shape, dtype, kind)
    for s, t in [(scale, shift), (scale, None), (None, shift)]:
        assert_close(haline.instance_norm(x, s, t, backend=backend), norm(x, s, t), dtype, scale)
    own = scale.astype(numpy_type(dtype))  # of x's own type
    assert_close(haline.instance_norm(x, own, backend=backend), norm(x, own), dtype, own)


@pytest.mark.parametrize("activation", SLOPES)
@pytest.mark.parametrize("with_residual", [False, True])
def test_activation_and_residual(activation, with_residual, dtype, backend):
    for shape in SHAPES:
        x, (scale, shift) = sample(3, shape, dtype), parameters(shape, dtype, "channel")
        residual = sample(4, shape, dtype) if with_residual else None
        options = {"activation": activation, "negative_slope": 0.2, "residual": residual, "backend": backend}
        y = haline.instance_norm(x, scale, shift, **options)
        expected = norm(x, scale, shift, residual=residual, slope=SLOPES[activation])
        assert_close(y, expected, dtype, 1 + np.abs(scale), 1.5e-14 if dtype == "float64" else 1.5e-6)
        if residual is not None:  # y may be the residual
            assert haline.instance_norm(x, scale, shift, out=residual, **options) is residual
            assert residual.tobytes() == y.tobytes()


def test_eps(dtype, backend):
    x = sample(7, (2, 3, 100), dtype)
    for eps in [0, 1e-3, 1, np.float32(0.5)]:
        assert_close(haline.instance_norm(x, eps=eps, backend=backend), norm(x, eps=eps), dtype)
    flat = np.full((2, 3, 100), 7, numpy_type(dtype))
    assert not haline.instance_norm(flat, eps=0, backend=backend).any()


def test_statistics(dtype, backend):
    for shape in SHAPES:
        x = sample(8, shape, dtype, offset=2)
        y, mean, rstd = haline.instance_norm(x, return_stats=True, backend=backend)
        assert y.tobytes() == haline.instance_norm(x, backend=backend).tobytes()
        assert mean.dtype == rstd.dtype == math_type(dtype)
        expected_mean, _, expected_rstd = statistics(x, 1e-5)
        assert_close(mean, expected_mean, str(math_type(dtype)))
        assert_close(rstd, expected_rstd, str(math_type(dtype)))


def test_running(dtype, backend):
    x = sample(9, (4, 3, 6, 7), dtype, offset=1)
    mean, variance = np.zeros(3, math_type(dtype)), np.ones(3, math_type(dtype))
    haline.instance_norm(x, running_mean=mean, running_variance=variance, momentum=0.25, backend=backend)
    expected_mean, expected_variance, _ = statistics(x, 0)
    assert_close(mean, 0.25 * expected_mean.mean(axis=0), str(math_type(dtype)))
    unbiased = expected_variance * (Wide(42) / 41)
    assert_close(variance, Wide(0.75) + 0.25 * unbiased.mean(axis=0), str(math_type(dtype)))


def test_given(dtype, backend):
    """Frozen statistics, of each channel or plane, by variance or by rstd."""
    for shape in SHAPES:
        x, (scale, shift) = sample(10, shape, dtype), parameters(shape, dtype, "channel")
        for of in [shape[1:2], shape[:2]]:
            mean, variance = sample(11, of, "float64"), np.abs(sample(12, of, "float64")) + 0.5
            rstd = 1 / np.sqrt(variance.astype(Wide) + Wide(1e-5))
            expected = norm(x, scale, shift, given=(mean, rstd))
            for how in [{"variance": variance}, {"rstd": rstd.astype(np.float64)}]:
                y = haline.apply(x, scale, shift, mean=mean, **how, backend=backend)
                assert_close(y, expected, dtype, 4 * np.abs(scale) + 4)


def test_tiles(dtype, backend):
    """Moments of tiles, merged: what the whole gives."""
    x = sample(13, (2, 3, 40, 33), dtype, offset=5)
    tiles = [haline.moments(tile, backend=backend) for tile in (x[:, :, :7], x[:, :, 7:8], x[:, :, 8:])]
    merged = haline.merge(tiles)
    again = haline.merge([haline.merge([tiles[1], tiles[0]]), tiles[2]])
    assert merged.mean.tobytes() == again.mean.tobytes() and merged.m2.tobytes() == again.m2.tobytes()
    mean, variance, _ = statistics(x, 0)
    assert merged.count == 40 * 33 == again.count
    assert merged.mean.dtype == merged.m2.dtype == np.float64
    assert_close(merged.mean, mean, "float64", promise=1e-7)
    assert_close(merged.variance, variance, "float64", promise=1e-6)
    y = haline.apply(x[:, :, 7:8], mean=merged.mean, variance=merged.variance, backend=backend)
    assert_close(y, norm(x)[:, :, 7:8], dtype, 2)


def test_moments_of_one_element(dtype, backend):
    x = sample(14, (3, 5, 1), dtype)
    found = haline.moments(x, backend=backend)
    assert found.count == 1 and not found.m2.any()
    assert np.array_equal(found.mean, x[..., 0].astype(np.float64))


@pytest.mark.parametrize("index", ["int32", "int64"])
def test_lengths(index, dtype, backend):
    for shape in [(4, 3, 50), (3, 2, 700), (3, 2, 5, 300)]:
        x, (scale, shift) = sample(15, shape, dtype), parameters(shape, dtype, "channel")
        lengths = np.linspace(0, shape[-1], shape[0]).astype(index)
        y = haline.instance_norm(x, scale, shift, lengths=lengths, backend=backend)
        for n, length in enumerate(lengths):
            cropped = np.ascontiguousarray(x[n : n + 1, ..., :length])
            assert not y[n, ..., length:].any()
            assert_close(y[n : n + 1, ..., :length], norm(cropped, scale, shift) if length else cropped, dtype, scale)


def test_special_values(dtype, backend):
    """A NaN or an infinity makes its own plane NaN, and no other."""
    for value in [np.nan, np.inf, -np.inf]:
        x = sample(16, (2, 3, 200), dtype)
        clean = haline.instance_norm(x, backend=backend)
        x[1, 2, 17] = value
        y = haline.instance_norm(x, backend=backend)
        assert np.isnan(y[1, 2].astype(np.float64)).all()
        y[1, 2] = clean[1, 2]
        assert y.tobytes() == clean.tobytes()


def test_empty(dtype, backend):
    for shape in [(0, 3, 4), (2, 0, 4), (2, 3, 0), (0, 0), (2, 3, 4, 0, 5)]:
        x = np.zeros(shape, numpy_type(dtype))
        y, mean, _ = haline.instance_norm(x, return_stats=True, backend=backend)
        assert y.shape == shape and mean.shape == shape[:2] and not mean.any()


def test_activation_is_the_oracles(dtype):
    """The oracle itself, on numbers done by hand."""
    assert act(np.array([-2, 0, 3]), 0.5).tolist() == [-1, 0, 3]
    assert norm(np.array([[[1, 3]]]), eps=0).astype(dtype if dtype != "bfloat16" else "f4").tolist() == [[[-1, 1]]]
