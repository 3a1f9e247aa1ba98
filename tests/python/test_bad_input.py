"""What must not be: a clear error, and nothing written."""

import array
import dataclasses

import numpy as np
import pytest
from producers import CUDA, OPENCL, Lying, Producer, Refusing

import haline

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def refuses(error, message, x=X, *arguments, function=haline.instance_norm, **options):
    """The call raises just that, and leaves `out` as it was."""
    out = options.get("out")
    before = out.tobytes() if isinstance(out, np.ndarray) else None
    with pytest.raises(error, match=message) as raised:
        function(x, *arguments, **options)
    assert raised.type is error
    if before is not None:
        assert out.tobytes() == before


WORDS = "in the machine's byte order wanted"


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X.astype(object), f"x: dtype object found, .* {WORDS}"),
        (X.astype(">f4"), f"x: dtype >f4 found, .* {WORDS}"),
        (X.astype(complex), f"x: dtype complex128 found, .* {WORDS}"),
        (X.astype(int), f"x: dtype int64 found, .* {WORDS}"),
        (X > 3, f"x: dtype bool found, .* {WORDS}"),
        (X.astype("M8[s]"), f"x: dtype datetime64.* found, .* {WORDS}"),
        (X.astype("U3"), f"x: dtype <U3 found, .* {WORDS}"),
        (X.astype(np.longdouble), f"x: dtype float128 found, .* {WORDS}"),
        (np.zeros((2, 3), [("a", "f4")]), f"x: dtype .*'a'.* found, .* {WORDS}"),
        (np.ma.masked_array(X), "x: a masked array found, an array without a mask wanted"),
        (X.tolist(), "x: list found, an array wanted"),
        (3.0, "x: float found, an array wanted"),
        (None, "x: None.* found, an array wanted"),
        (b"abcd", f"x: bytes found, .* {WORDS}"),
        (Lying(), "x: an object whose __dlpack__ gives no DLPack capsule found"),
        (Producer(X.astype(int)), f"x: producers.Producer found, .* {WORDS}"),
        (Producer(X.astype(complex)), f"x: producers.Producer found, .* {WORDS}"),
    ],
)
def test_types_of_x(x, message):
    refuses(TypeError, message, x)
    if x is not None:
        refuses(TypeError, message.replace("x: ", "residual: "), residual=x)
    refuses(TypeError, message, x, function=haline.moments)


def test_on_every_argument():
    bad = X.astype(object)
    for name in ["scale", "shift", "residual", "lengths", "out", "running_mean", "running_variance"]:
        refuses(TypeError, f"^{name}: dtype object found", **{name: bad})
    for name in ["mean", "variance", "rstd"]:
        given = {"mean": np.zeros(3), "variance": np.ones(3)} | {name: bad}
        refuses(TypeError, f"^{name}: dtype object found", function=haline.apply, **given)
    refuses(TypeError, "lengths: dtype float32 found, int32 or int64", lengths=np.float32([1, 2]))
    refuses(TypeError, "lengths: list found, an array wanted", lengths=[1, 2])


def test_shapes():
    refuses(ValueError, r"x: rank 1 found, 2 and up wanted: \[N, C, \*\]", X[0, 0])
    refuses(ValueError, r"x: rank 0 found", np.float32(3))
    refuses(ValueError, r"scale: shape \[4\] found, \[3\] or \[2, 3\]", X, np.ones(4, np.float32))
    refuses(ValueError, r"shift: shape \[1, 3\] found", X, None, np.ones((1, 3), np.float32))
    refuses(ValueError, r"residual: shape \[2, 3, 3\] found, \[2, 3, 4\] ", residual=X[..., 1:])
    refuses(ValueError, r"lengths: shape \[3\] found, \[2\] ", lengths=np.array([1, 2, 3]))
    refuses(ValueError, r"lengths: 5 found at 1, 0 to 4 ", lengths=np.array([1, 5]))
    refuses(ValueError, r"lengths: x of rank 2 found", X[..., 0], lengths=np.array([1, 1]))
    refuses(ValueError, r"running_mean: shape \[2, 3\] found, \[3\]", running_mean=np.zeros((2, 3)))


def test_out():
    read_only = np.zeros_like(X)
    read_only.flags.writeable = False
    refuses(ValueError, "out: read-only memory found, writable wanted", out=read_only)
    refuses(ValueError, "out: read-only memory found, writable wanted", out=X.tobytes())
    refuses(ValueError, "out: read-only memory found", out=Producer(np.zeros_like(X), read_only=True))
    refuses(ValueError, r"out: shape \[2, 3, 5\] found, \[2, 3, 4\] ", out=np.zeros((2, 3, 5), np.float32))
    refuses(ValueError, r"out: shape \[24\] found", out=np.zeros(24, np.float32))
    refuses(ValueError, r"out: float64 elements found, float32 .* wanted", out=np.zeros_like(X, dtype=np.float64))
    refuses(TypeError, "out: dtype >f4 found", out=np.zeros_like(X, dtype=">f4"))
    refuses(TypeError, "out: a masked array found", out=np.ma.zeros(X.shape, np.float32))
    moved = r"out: shape .* \(shapes with the channel axis moved to 1\)"
    refuses(ValueError, moved, channel_axis=-1, out=np.zeros((2, 4, 4), np.float32))


def test_overlap():
    memory = np.arange(48, dtype=np.float32)
    x, out = memory[:24].reshape(2, 3, 4), memory[12:36].reshape(2, 3, 4)
    refuses(ValueError, "out: memory that overlaps x in part found", x, out=out)
    refuses(ValueError, "out: memory that overlaps residual in part found", out=out, residual=x)
    refuses(ValueError, "out: memory that overlaps x in part found", x, out=x[::-1])
    refuses(ValueError, "out: memory that overlaps scale found", X, memory[12:15], out=out)
    refuses(ValueError, "running_mean: memory that overlaps", x, running_mean=memory[:3], out=out.copy())


def test_numbers():
    for axis in [3, -4, 2**70, -(2**70)]:
        refuses(ValueError, "channel_axis: .* found, -3 to 2 wanted for x of rank 3", channel_axis=axis)
    refuses(TypeError, "channel_axis: float found, an integer wanted", channel_axis=1.0)
    for eps in [-1, float("nan"), float("inf")]:
        refuses(ValueError, "eps: .* found, a finite number of 0 and up wanted", eps=eps)
    refuses(TypeError, "eps: str found, a number wanted", eps="1")
    refuses(TypeError, "eps: NoneType found, a number wanted", eps=None)
    refuses(ValueError, "momentum: 2 found, 0 to 1 wanted", momentum=2)
    refuses(ValueError, "negative_slope: inf found", activation="leaky_relu", negative_slope=float("inf"))


def test_words():
    refuses(ValueError, "activation: 'gelu' found, None, 'relu' or 'leaky_relu' wanted", activation="gelu")
    refuses(TypeError, "activation: int found, a str or None wanted", activation=1)
    refuses(ValueError, "vax", backend="vax")
    refuses(TypeError, "backend: list found", backend=["x86-64"])
    others = [info for info in haline.backend_info() if not info.runs_here]
    for info in others:
        refuses(ValueError, info.name, backend=info.name)
        assert info.reason


def test_threads_wanted():
    for threads in [-1, 1025, 2**40]:
        with pytest.raises(ValueError, match="threads"):
            haline.set_num_threads(threads)
    with pytest.raises(TypeError, match="threads: str found, an integer wanted"):
        haline.set_num_threads("2")


def test_devices():
    """Every array says its own device."""
    away = Producer(X.copy(), device=CUDA)
    refuses(ValueError, r"x: device type 2 found, 1 \(CPU\) wanted", away)
    refuses(ValueError, r"scale: device type 2 found", X, Producer(np.ones(3, np.float32), device=CUDA))
    refuses(ValueError, r"residual: device type 2 found", residual=away)
    refuses(ValueError, r"out: device type 2 found", out=away)
    refuses(ValueError, r"lengths: device type 2 found", lengths=Producer(np.array([1, 2]), device=CUDA))
    refuses(ValueError, r"x: device type 4 found, 1 \(CPU\) wanted", Producer(X.copy(), device=OPENCL))
    with pytest.raises(ValueError, match=r"x: device type 2 found, 1 \(CPU\) wanted"):
        haline.moments(away)


def test_producers():
    refuses(
        ValueError,
        "x: producers.Refusing found that gives no DLPack tensor: this tensor requires a gradient",
        Refusing(),
    )
    refuses(ValueError, "x: DLPack 2 found, 1 wanted", Producer(X, major=2))
    with pytest.raises(ValueError, match="requires a gradient") as raised:
        haline.instance_norm(Refusing())
    assert isinstance(raised.value.__cause__, BufferError)


def test_strides_of_parts_of_an_element():
    records = np.zeros((2, 3, 4), np.dtype([("a", "f4"), ("b", "u1")]))
    refuses(ValueError, "x: a stride of 5 bytes found, a multiple of 4", records["a"])
    apart = np.zeros((2, 3, 4), np.dtype([("a", "u1"), ("b", "f4"), ("c", "u1", 3)]))["b"]
    refuses(ValueError, "x: data that is not aligned to 4 bytes found", apart)


def test_types_that_do_not_go_together():
    refuses(ValueError, "scale: float64 elements found, float32 wanted, as x has float32", X, np.ones(3))
    refuses(ValueError, "residual: float64 elements found", residual=X.astype(np.float64))


def test_statistics():
    mean = np.zeros(3)
    refuses(TypeError, "mean: None found", function=haline.apply, mean=None)
    refuses(ValueError, "^mean: .* neither other", function=haline.apply, mean=mean)
    refuses(ValueError, "^mean: .* both others", function=haline.apply, mean=mean, rstd=mean, variance=mean)
    refuses(ValueError, r"^variance: shape \[2\]", function=haline.apply, mean=mean, variance=np.zeros(2))
    backward = haline.instance_norm_backward
    refuses(ValueError, "^mean: null found", X, X, function=backward, mean=None, rstd=mean)
    refuses(ValueError, r"^rstd: shape \[3\]", X, X, function=backward, mean=np.zeros((2, 3)), rstd=mean)
    refuses(ValueError, r"^dy: shape", X, X[1:], function=backward, mean=np.zeros((2, 3)), rstd=np.zeros((2, 3)))
    given = {"mean": np.zeros((2, 3)), "rstd": np.ones((2, 3)), "function": backward}
    dy = np.zeros((3, 3, 4), np.float32)
    refuses(ValueError, "out: memory that overlaps dy in part", X, dy[:2], out=dy[1:], **given)
    refuses(ValueError, r"out: shape", X, X, out=np.zeros((2, 3), np.float32), **given)


def test_merge():
    tile = haline.moments(X)
    with pytest.raises(ValueError, match="tiles: none found, 1 and up wanted"):
        haline.merge([])
    with pytest.raises(ValueError, match="means: shape"):
        haline.merge([tile, haline.moments(X[:, :2])])
    with pytest.raises(ValueError, match="counts: 0 found in all"):
        haline.merge([dataclasses.replace(tile, count=0)])
    with pytest.raises(ValueError, match="counts: -1 found"):
        haline.merge([tile, dataclasses.replace(tile, count=-1)])
    with pytest.raises(ValueError, match="means: float32 elements found, float64 wanted"):
        haline.merge([tile, dataclasses.replace(tile, mean=tile.mean.astype(np.float32))])


def test_too_large():
    """A result that no memory can hold."""
    x = np.broadcast_to(np.float32(0), (2**20, 2**20, 2**20))
    with pytest.raises(MemoryError):
        haline.instance_norm(x)


class Nosy:
    """Does something to the other arrays of a call while it is under way."""

    def __init__(self, action):
        self.action, self.error = action, None

    def __dlpack__(self, **options):
        try:
            self.action()
        except (BufferError, ValueError) as error:
            self.error = error
        return np.ones(3, np.float32).__dlpack__()


def test_resized_while_in_use():
    """Memory that a call holds can't be resized, nor freed."""
    memory = bytearray(X.tobytes())
    x = memoryview(memory).cast("f", X.shape)
    nosy = Nosy(lambda: memory.extend(b"more"))
    assert (haline.instance_norm(x, nosy) == haline.instance_norm(X)).all()
    assert isinstance(nosy.error, BufferError)

    numbers = array.array("f", range(24))
    nosy = Nosy(lambda: numbers.append(1))
    refuses(ValueError, "x: rank 1 found", numbers, nosy)
    assert isinstance(nosy.error, BufferError)

    owner = X.copy()
    nosy = Nosy(lambda: owner.resize(100))
    haline.instance_norm(owner, nosy)
    assert isinstance(nosy.error, ValueError) and owner.shape == X.shape


def test_freed_while_in_use():
    holder = [X.copy()]
    y = haline.instance_norm(memoryview(holder[0]), Nosy(holder.clear))
    assert not holder and (y == haline.instance_norm(X)).all()
    released = memoryview(X.copy())
    released.release()
    with pytest.raises(ValueError, match="released memoryview"):
        haline.instance_norm(released)


def test_interrupted():
    """What is no error of the array's passes through."""

    class Interrupted:
        def __dlpack__(self, **options):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        haline.instance_norm(X, Interrupted())
