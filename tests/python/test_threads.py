"""Many Python threads at once: the same bytes, without the GIL."""

import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import haline
from oracle import sample


def test_same_bytes_from_many_threads():
    """Calls of every kind at once, on arrays that they share and on their own."""
    cases = [
        sample(seed, shape) for seed, shape in enumerate([(2, 6, 2, 4), (3, 5, 700), (1, 3, 300, 301), (40, 8, 64)])
    ]
    scale = {x.shape[1]: sample(9, x.shape[1:2]) for x in cases}

    def work(i):
        x = cases[i % len(cases)]
        s = scale[x.shape[1]]
        y, mean, rstd = haline.instance_norm(x, s, activation="relu", return_stats=True)
        dx, dscale, _ = haline.instance_norm_backward(x, y, s, mean=mean, rstd=rstd)
        whole = haline.merge([haline.moments(x[:1]), haline.moments(x[:1])])
        return b"".join(a.tobytes() for a in (y, mean, rstd, dx, dscale, whole.mean))

    expected = [work(i) for i in range(len(cases))]
    with ThreadPoolExecutor(16) as pool:
        for i, found in enumerate(pool.map(work, range(400))):
            assert found == expected[i % len(cases)]


def test_errors_are_their_threads_own():
    """A message is never another thread's."""

    def work(i):
        with pytest.raises(ValueError) as raised:
            haline.instance_norm(np.zeros((1, 2, 3), np.float32), np.zeros(i + 3, np.float32))
        return str(raised.value)

    with ThreadPoolExecutor(8) as pool:
        for i, message in enumerate(pool.map(work, range(400))):
            assert f"shape [{i + 3}] found" in message


def test_number_of_threads_changes_no_bit():
    x = sample(1, (2, 3, 200, 201))
    found = set()
    for threads in [1, 2, 3, 16, 1024]:
        haline.set_num_threads(threads)
        assert haline.num_threads() == threads
        found.add(haline.instance_norm(x).tobytes())
    assert len(found) == 1


def test_without_the_gil():
    """Another thread gets on while a call works; nothing but the call gives the GIL away here."""
    x = sample(2, (1, 64, 256, 256))
    old = sys.getswitchinterval()

    def meets():
        start, ran = threading.Event(), []
        thread = threading.Thread(target=lambda: (start.wait(), ran.append(True)))
        thread.start()
        sys.setswitchinterval(1000)
        start.set()
        haline.instance_norm(x, out=x)
        met = bool(ran)
        sys.setswitchinterval(old)
        thread.join()
        return met

    haline.set_num_threads(1)
    try:
        assert any(meets() for _ in range(50))  # the system may be slow to wake the other one
    finally:
        sys.setswitchinterval(old)


def test_free_threaded():
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this Python is not free-threaded")
    assert not sys._is_gil_enabled()
