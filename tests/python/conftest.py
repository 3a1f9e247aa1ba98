"""What the tests share. They test the package that is installed, never the source tree."""

import os
import pathlib

import pytest

import haline

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_configure():
    where = pathlib.Path(haline.__file__).resolve()
    if ROOT / "python" in where.parents:
        raise pytest.UsageError(f"{where} is the source tree: install the wheel")


@pytest.fixture(params=haline.backends())
def backend(request):
    """Each back end that runs here."""
    return request.param


@pytest.fixture
def ran():
    """Asserts that the thread's last call ran the kernels of a back end."""

    def check(name):
        targets = {info.name: info.target for info in haline.backend_info()}
        assert haline._haline.last_target() == targets[name]

    return check


@pytest.fixture(autouse=True)
def default_threads():
    """Leaves the number of threads as it was."""
    yield
    haline.set_num_threads(0)


@pytest.fixture(scope="session")
def data():
    """The folder of real inputs."""
    folder = pathlib.Path(os.environ.get("HALINE_TEST_DATA", ROOT / "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"HALINE_TEST_DATA: no folder {folder}")
    return folder
