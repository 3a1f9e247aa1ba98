"""Arrays that are not NumPy's: no copy, and results of their kind."""

import array
import sys
import types

import numpy as np
import pytest
from producers import CUDA_HOST, OldProducer, Producer

import haline
from oracle import assert_close, norm, numpy_type, sample


@pytest.fixture(params=[Producer, OldProducer])
def producer(request):
    return request.param


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_without_a_copy(producer, dtype):
    x = sample(1, (2, 3, 40), dtype)
    wrapped, out = producer(x), producer(np.zeros_like(x))
    assert haline.instance_norm(wrapped, out=out) is out
    assert wrapped.exports == out.exports == 1
    assert out.array.tobytes() == haline.instance_norm(x).tobytes()
    y = haline.instance_norm(producer(x))  # of a library that can't be found: NumPy's
    assert type(y) is np.ndarray and y.tobytes() == out.array.tobytes()
    assert haline.instance_norm(wrapped, out=wrapped) is wrapped  # in place
    assert x.tobytes() == y.tobytes()


def test_layouts(producer):
    """Strides, a byte offset, and no strides at all."""
    x = sample(2, (2, 5, 6, 3))
    expected = haline.instance_norm(x, channel_axis=-1)
    for wrapped in [producer(x), producer(x, strides=False), producer(x, offset=64)]:
        assert (haline.instance_norm(wrapped, channel_axis=-1) == expected).all()
    view = x[:, ::2, ::-1].transpose(0, 3, 2, 1)
    assert (haline.instance_norm(producer(view)) == haline.instance_norm(view)).all()
    empty = haline.instance_norm(producer(x[:0]))
    assert empty.shape == (0, 5, 6, 3)


def test_pinned_memory_is_the_processors():
    x = sample(3, (2, 3, 4))
    assert (haline.instance_norm(Producer(x, device=CUDA_HOST)) == haline.instance_norm(x)).all()


def test_read_only_input():
    x = sample(4, (2, 3, 4))
    expected = haline.instance_norm(x)
    assert (haline.instance_norm(Producer(x, read_only=True)) == expected).all()
    x.flags.writeable = False
    assert (haline.instance_norm(x) == expected).all()
    assert (haline.instance_norm(memoryview(x)) == expected).all()


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 in NumPy needs ml_dtypes")
    x = sample(5, (2, 3, 40), "bfloat16")
    y = haline.instance_norm(Producer(x))
    assert y.dtype == ml_dtypes.bfloat16 == numpy_type("bfloat16")
    assert y.tobytes() == haline.instance_norm(x).tobytes()
    assert_close(y, norm(x), "bfloat16")


class OtherArray(Producer):
    """An array of another library, one that follows the array API standard."""

    def __array_namespace__(self):
        return types.SimpleNamespace(from_dlpack=taken)


def taken(exporter):
    made = OtherArray(np.from_dlpack(exporter))
    made.exporter = exporter  # the memory is its
    return made


def test_results_are_of_the_same_kind():
    x = OtherArray(sample(6, (2, 3, 4, 5)))
    y, mean, rstd = haline.instance_norm(x, return_stats=True)
    expected = haline.instance_norm(x.array, return_stats=True)
    for found, wanted in zip((y, mean, rstd), expected, strict=True):
        assert type(found) is OtherArray
        assert np.array_equal(found.array, wanted) and found.array.dtype == wanted.dtype
    gradients = haline.instance_norm_backward(x, x, mean=mean, rstd=rstd, residual=x, activation="relu")
    assert [type(a) for a in gradients] == [OtherArray] * 4
    tile = haline.moments(x)
    assert type(tile.mean) is type(haline.merge([tile, tile]).m2) is np.ndarray  # not every library has float64
    assert type(haline.apply(x, mean=mean, rstd=rstd)) is OtherArray
    assert type(haline.instance_norm(x.array, out=None)) is np.ndarray


def test_results_lie_as_x_does():
    for axes in [(0, 1, 2, 3), (0, 3, 1, 2), (3, 2, 1, 0)]:
        x = OtherArray(sample(7, (2, 3, 4, 5)).transpose(axes))
        assert haline.instance_norm(x).array.strides == x.array.strides


def test_a_library_found_by_its_name(monkeypatch):
    library = types.ModuleType("otherarrays")
    library.from_dlpack = taken
    kind = type("Plain", (Producer,), {"__module__": "otherarrays.core"})
    monkeypatch.setitem(sys.modules, "otherarrays", library)
    assert type(haline.instance_norm(kind(sample(8, (2, 3, 4))))) is OtherArray


def test_the_buffer_protocol():
    x = sample(9, (2, 3, 4))
    expected = haline.instance_norm(x)
    for buffer in [memoryview(x), memoryview(bytearray(x.tobytes())).cast("f", x.shape)]:
        y = haline.instance_norm(buffer)
        assert type(y) is np.ndarray and (y == expected).all()
    out = memoryview(array.array("f", [0] * 24)).cast("B").cast("f", x.shape)
    assert haline.instance_norm(x, out=out) is out
    assert (np.asarray(out) == expected).all()


def test_subclasses_are_arrays(tmp_path):
    class Mine(np.ndarray):
        pass

    x = sample(10, (2, 3, 4))
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=x.shape)
    mapped[...] = x
    for other in [x.copy().view(Mine), mapped]:
        y = haline.instance_norm(other)
        assert type(y) is np.ndarray and (y == haline.instance_norm(x)).all()
        assert haline.instance_norm(other, out=other) is other
        assert (np.asarray(other) == y).all()


def test_scale_may_be_of_another_kind():
    x, scale = sample(11, (2, 3, 4)), sample(12, (3,))
    y = haline.instance_norm(x, Producer(scale), memoryview(scale))
    assert (y == haline.instance_norm(x, scale, scale)).all()


def test_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    for dtype in [torch.float32, torch.float16, torch.bfloat16, torch.float64]:
        x = torch.randn(2, 3, 8, 9).to(dtype)
        y, mean, rstd = haline.instance_norm(x, return_stats=True)
        assert type(y) is torch.Tensor and y.dtype == dtype and mean.shape == rstd.shape == (2, 3)
        close = {"rtol": 1e-2, "atol": 1e-2} if dtype.itemsize == 2 else {}
        torch.testing.assert_close(y, torch.nn.functional.instance_norm(x), **close)
        before = x.data_ptr()
        assert haline.instance_norm(x, out=x) is x and x.data_ptr() == before
        torch.testing.assert_close(x, y, rtol=0, atol=0)
    last = torch.randn(2, 3, 8, 9).to(memory_format=torch.channels_last)
    assert haline.instance_norm(last).is_contiguous(memory_format=torch.channels_last)
    with pytest.raises(ValueError, match=r"x: .*Tensor found that gives no DLPack tensor: .*grad"):
        haline.instance_norm(last.requires_grad_())


def test_jax():
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    for dtype in [jax.numpy.float32, jax.numpy.float16, jax.numpy.bfloat16]:
        x = jax.numpy.asarray(sample(13, (2, 3, 40)), dtype=dtype)
        y, mean, rstd = haline.instance_norm(x, return_stats=True)
        assert isinstance(y, jax.Array) and y.dtype == dtype and isinstance(rstd, jax.Array)
        assert np.asarray(y).tobytes() == haline.instance_norm(np.asarray(x)).tobytes()
        assert isinstance(haline.instance_norm_backward(x, x, mean=mean, rstd=rstd)[0], jax.Array)
        with pytest.raises(ValueError, match="out: read-only memory found"):  # JAX's arrays never change
            haline.instance_norm(x, out=x)
