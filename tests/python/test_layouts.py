"""Shapes, strides, channel axes and types as Hypothesis finds them: the contiguous array's bytes, and the promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import haline
from oracle import assert_close, assert_gradient, gradients, norm, sample

settings.register_profile("haline", deadline=None, max_examples=150, print_blob=True, database=None)
settings.load_profile("haline")

DTYPES = st.sampled_from(["float32", "float16", "float64"])


@st.composite
def arrays(draw, most_rank=5):
    """A view of a larger array, its axes cut, stepped over, reversed and permuted, and the axis of its channels."""
    rank = draw(st.integers(2, most_rank))
    most = {2: 40, 3: 30, 4: 12, 5: 7}.get(rank, 4)
    shape = draw(st.lists(st.integers(1, most), min_size=rank, max_size=rank))
    dtype, offset = draw(DTYPES), draw(st.sampled_from([0, 3, -100]))
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, -1, -2]), min_size=rank, max_size=rank))
    margins = draw(st.lists(st.integers(0, 2), min_size=rank, max_size=rank))
    outer = [extent * abs(step) + 2 * margin for extent, step, margin in zip(shape, steps, margins, strict=True)]
    order = draw(st.permutations(range(rank)))
    base = sample(draw(st.integers(0, 2**31)), [outer[i] for i in order], dtype, offset)
    view = base.transpose(np.argsort(order))
    cuts = []
    for extent, step, margin in zip(shape, steps, margins, strict=True):
        cut = slice(margin, margin + extent * abs(step), abs(step))
        cuts.append(cut)
    view = view[tuple(cuts)]
    view = view[tuple(slice(None, None, -1 if step < 0 else 1) for step in steps)]
    return view, draw(st.integers(-rank, rank - 1)), dtype


def channels_first(x, axis):
    return np.ascontiguousarray(np.moveaxis(x, axis, 1))


@given(arrays(), st.sampled_from(haline.backends()), st.booleans(), st.sampled_from([1e-5, 0, 0.1]))
def test_forward(case, backend, with_parameters, eps):
    x, axis, dtype = case
    first = channels_first(x, axis)
    math = "float64" if dtype == "float64" else "float32"
    scale, shift = (sample(i, first.shape[1], math) for i in (1, 2)) if with_parameters else (None, None)
    y = haline.instance_norm(x, scale, shift, eps=eps, channel_axis=axis, backend=backend)
    assert y.shape == x.shape and y.dtype == x.dtype
    contiguous = haline.instance_norm(first, scale, shift, eps=eps)
    assert channels_first(y, axis).tobytes() == contiguous.tobytes()
    assert_close(contiguous, norm(first, scale, shift, eps=eps), dtype, scale)
    out = np.empty(x.shape[::-1], x.dtype).transpose()  # of other strides
    assert haline.instance_norm(x, scale, shift, eps=eps, channel_axis=axis, out=out) is out
    assert out.tobytes() == np.ascontiguousarray(y).tobytes()


@given(arrays())
def test_in_place(case):
    x, axis, _ = case
    y = haline.instance_norm(x, channel_axis=axis)
    whole, untouched = x, x.copy()
    while whole.base is not None:
        whole = whole.base
    before = whole.copy()
    haline.instance_norm(x, channel_axis=axis, out=x)
    assert np.ascontiguousarray(x).tobytes() == np.ascontiguousarray(y).tobytes()
    x[...] = untouched
    assert whole.tobytes() == before.tobytes()  # nothing beside x was written


@given(arrays())
def test_backward(case):
    x, axis, dtype = case
    dy = sample(3, x.shape, dtype)
    _, mean, rstd = haline.instance_norm(x, channel_axis=axis, eps=0.01, return_stats=True)
    dx, dscale, _ = haline.instance_norm_backward(x, dy, mean=mean, rstd=rstd, eps=0.01, channel_axis=axis)
    expected = gradients(channels_first(x, axis), channels_first(dy, axis), eps=0.01)
    assert_gradient(channels_first(dx, axis), expected[0], dtype)
    assert_gradient(dscale, expected[1].sum(axis=0), "float64" if dtype == "float64" else "float32")


@given(arrays(), st.integers(1, 6))
def test_tiles(case, cut):
    """Any cut across the third axis merges to the whole."""
    x, axis, _ = case
    x = np.moveaxis(x, axis, 1)
    if x.ndim < 3 or x.shape[2] < 2:
        return
    cut = min(cut, x.shape[2] - 1)
    merged = haline.merge([haline.moments(x[:, :, :cut]), haline.moments(x[:, :, cut:])])
    whole = haline.moments(x)
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(merged.m2, whole.m2, rtol=1e-5, atol=1e-5)


def test_the_result_lies_as_x_does():
    x = np.zeros((2, 4, 5, 3), np.float32).transpose(0, 3, 1, 2)
    assert haline.instance_norm(x).strides == x.strides
    assert haline.instance_norm(np.asfortranarray(x)).flags.f_contiguous


def test_repeated_memory():
    """x may have strides of 0, out may not."""
    row = sample(4, (1, 3, 50))
    x = np.broadcast_to(row, (4, 3, 50))
    assert (haline.instance_norm(x) == haline.instance_norm(row)).all()
    with pytest.raises(ValueError, match=r"out: (read-only memory|a stride of 0) found"):
        haline.instance_norm(x, out=x)


def test_too_many_loops():
    x = np.zeros((1, 1, 3, 3, 3, 3, 3), np.float32)[:, :, ::2, ::2, ::2, ::2, ::2]
    with pytest.raises(ValueError, match="more than 4 loops, fewer wanted: make it contiguous first"):
        haline.instance_norm(x)
    assert haline.instance_norm(np.ascontiguousarray(x)).shape == x.shape
