"""haline's C structs, for ctypes."""

import ctypes

CPU, CUDA = 1, 2  # haline.h's
FLOAT, BFLOAT = 2, 4


class Tensor(ctypes.Structure):
    """haline_tensor, which is DLPack's; `owner` keeps what it points to."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Options(ctypes.Structure):
    """The beginning of haline_options; `size` says how much of it there is."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("eps", ctypes.c_double),
        ("backend", ctypes.c_char_p),
        ("activation", ctypes.c_int),
        ("negative_slope", ctypes.c_double),
        *[(name, ctypes.POINTER(Tensor)) for name in ("residual", "lengths", "mean", "rstd", "given_mean")],
        *[(name, ctypes.POINTER(Tensor)) for name in ("given_rstd", "given_variance", "running_mean")],
        ("running_variance", ctypes.POINTER(Tensor)),
        ("momentum", ctypes.c_double),
        ("dresidual", ctypes.POINTER(Tensor)),
        ("frozen", ctypes.c_int32),
        ("queue", ctypes.c_void_p),
    ]


def tensor(data: int, device: tuple[int, int], dtype: tuple[int, int], shape, strides, owner) -> Tensor:
    """A tensor over memory that `owner` has; strides in elements."""
    extents, steps = (ctypes.c_int64 * len(shape))(*shape), (ctypes.c_int64 * len(shape))(*strides)
    made = Tensor(data, *device, len(shape), *dtype, 1, extents, steps, 0)
    made.owner = owner
    return made
