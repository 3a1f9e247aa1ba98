"""Real volumes: one at a time, and with time as channels."""

import numpy as np
import pytest

import haline
from oracle import assert_close, norm

nibabel = pytest.importorskip("nibabel", reason="nibabel is not installed")
NAMES = ["anatomical.nii", "functional.nii", "example4d.nii.gz"]


@pytest.fixture(params=NAMES)
def volume(data, request):
    """[D, H, W] or [D, H, W, T], as it was measured."""
    path = data / "volumes" / request.param
    if not path.exists():
        pytest.skip(f"HALINE_TEST_DATA: no {path}")
    return nibabel.load(path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_volume(volume, dtype, backend):
    values = volume.get_fdata(dtype=dtype)
    x = values.reshape(*values.shape[:3], -1)[None, None, ..., 0]  # [1, 1, D, H, W], in NIfTI's order of memory
    y = haline.instance_norm(x, backend=backend)
    assert y.shape == x.shape
    assert_close(y, norm(x), dtype)
    assert abs(y.astype(np.float64).mean()) < 1e-5 and abs(y.astype(np.float64).std() - 1) < 1e-3
    contiguous = haline.instance_norm(np.ascontiguousarray(x), backend=backend)
    assert np.ascontiguousarray(y).tobytes() == contiguous.tobytes()


def test_time_as_channels(volume, backend):
    values = volume.get_fdata(dtype="float32")
    if values.ndim < 4:
        values = values[..., None]
    x = values[None]  # [1, D, H, W, T]
    scale = np.linspace(0.5, 2, x.shape[-1], dtype=np.float32)
    y = haline.instance_norm(x, scale, channel_axis=-1, backend=backend)
    first = np.ascontiguousarray(np.moveaxis(x, -1, 1))
    assert_close(np.moveaxis(y, -1, 1), norm(first, scale), "float32", scale)
    assert np.moveaxis(y, -1, 1).tobytes() == haline.instance_norm(first, scale).tobytes()


def test_in_slabs(volume, backend):
    """A volume in parts that are never in memory together."""
    values = volume.get_fdata(dtype="float32")
    x = values.reshape(*values.shape[:3], -1)[None, None, ..., 0]
    slabs = [x[:, :, i : i + 5] for i in range(0, x.shape[2], 5)]
    whole = haline.merge([haline.moments(slab, backend=backend) for slab in slabs])
    y = [haline.apply(slab, mean=whole.mean, variance=whole.variance, backend=backend) for slab in slabs]
    assert_close(np.concatenate(y, axis=2), norm(x), "float32", 2)


def test_as_it_is_stored(volume):
    """Integers, big-endian in one of them, are refused, not misread."""
    stored = np.asanyarray(volume.dataobj)
    if stored.dtype.kind == "f" and stored.dtype.isnative:  # nibabel has scaled it
        assert_close(haline.instance_norm(stored[None, None, ..., 0]), norm(stored[None, None, ..., 0]), "float64")
        return
    with pytest.raises(TypeError, match=r"x: dtype .* found"):
        haline.instance_norm(stored[None, None, ...])
