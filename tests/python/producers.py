"""DLPack producers that no installed library is: unversioned, read-only, on a device, lying, failing."""

import ctypes

import numpy as np

CPU, CUDA, CUDA_HOST, OPENCL = 1, 2, 3, 4


class _Tensor(ctypes.Structure):
    _fields_ = (
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
    )


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class _Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


_capsule = ctypes.pythonapi.PyCapsule_New
_capsule.restype, _capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Producer:
    """An array that can be had through DLPack alone."""

    def __init__(self, array, *, device=CPU, versioned=True, major=1, read_only=False, strides=True, offset=0):
        self.array, self.device, self.major = array, device, major
        self.versioned, self.read_only, self.strides, self.offset = versioned, read_only, strides, offset
        self.exports = 0
        self._held = []

    def _tensor(self):
        a = self.array
        code = 4 if str(a.dtype) == "bfloat16" else {"f": 2, "i": 0, "u": 1, "c": 5}[a.dtype.kind]
        shape = (ctypes.c_int64 * a.ndim)(*a.shape)
        strides = (ctypes.c_int64 * a.ndim)(*(s // a.itemsize for s in a.strides)) if self.strides else None
        self._held += [shape, strides]
        return _Tensor(
            a.ctypes.data - self.offset, self.device, 0, a.ndim, code, 8 * a.itemsize, 1, shape, strides, self.offset
        )

    def _make(self, **options):
        self.exports += 1
        if self.versioned:
            if "max_version" not in options:
                raise BufferError("a version wanted")
            managed = _Versioned(self.major, 0, None, None, int(self.read_only), self._tensor())
        else:
            managed = _Managed(self._tensor(), None, None)
        self._held.append(managed)
        return _capsule(ctypes.addressof(managed), b"dltensor_versioned" if self.versioned else b"dltensor", None)

    def __dlpack__(self, **options):
        return self._make(**options)

    def __dlpack_device__(self):
        return (self.device, 0)


class OldProducer(Producer):
    """From before DLPack 1: __dlpack__ knows no max_version."""

    def __init__(self, array, **options):
        super().__init__(array, versioned=False, **options)

    def __dlpack__(self, stream=None):
        return self._make()


class Refusing:
    """Says why it gives nothing, as a tensor that requires a gradient does."""

    def __dlpack__(self, **options):
        raise BufferError("this tensor requires a gradient")


class Lying:
    """Gives something else."""

    def __dlpack__(self, **options):
        return np.zeros(3)
