"""The wheel: what it holds, its command line, its CMake package, its documentation."""

import ctypes
import doctest
import importlib
import importlib.metadata
import inspect
import os
import pathlib
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig

import numpy as np
import pytest

import haline

FOLDER = pathlib.Path(haline.__file__).parent
ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = ["haline"] + [f"haline.{m.name}" for m in pkgutil.iter_modules([str(FOLDER)]) if m.name != "_haline"]


def run(*command, check=True, **options):
    done = subprocess.run([str(c) for c in command], text=True, capture_output=True, timeout=300, **options)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


def test_version():
    assert haline.__version__ == importlib.metadata.version("haline")
    header = (FOLDER / "include/haline/haline.h").read_text()
    parts = [re.search(rf"HALINE_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH")]
    assert haline.__version__ == ".".join(parts)


def test_one_version_of_what_builds_it():
    project = (ROOT / "pyproject.toml").read_text()
    pins = "".join((ROOT / "scripts" / f"requirements{part}.txt").read_text() for part in ("", "-test"))
    for name in ["scikit-build-core", "nanobind", "halide"]:
        (pin,) = re.findall(rf"^{name}==\S+$", pins, re.M)
        assert f'"{pin}"' in project


def test_contents():
    for name in [
        "py.typed",
        "_haline.pyi",
        "lib/libhaline.so",
        "lib/libhaline.a",
        "include/haline/haline.hpp",
        "bin/haline",
    ]:
        assert (FOLDER / name).is_file(), name
    assert sorted(haline.__all__) == haline.__all__
    assert all(hasattr(haline, name) for name in haline.__all__)


def test_stable_abi():
    if sys.version_info < (3, 12) or sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("nanobind has the stable ABI from Python 3.12 on, not for free-threaded ones")
    assert haline._haline.__file__.endswith("_haline.abi3.so")


def test_headers_are_the_trees():
    for header in (ROOT / "include/haline").iterdir():
        assert (FOLDER / "include/haline" / header.name).read_bytes() == header.read_bytes()


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    failed, tried = doctest.testmod(module)
    assert failed == 0
    if name in ("haline", "haline._norm", "haline._moments", "haline._backends"):
        assert tried > 0


def test_examples_of_the_documents():
    """Python in README.md and docs/python.md, each as one program, with what it asserts."""
    for name in ["README.md", "docs/python.md"]:
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.S)
        assert blocks, name
        names = {"x": np.float32(np.arange(60).reshape(1, 3, 4, 5))}
        for block in blocks:
            exec(compile(block, name, "exec"), names)


def test_everything_public_is_documented_and_typed():
    for name in haline.__all__:
        member = getattr(haline, name)
        if inspect.isfunction(member):
            assert member.__doc__ and "return" in member.__annotations__, name
            parameters = inspect.signature(member).parameters
            assert set(parameters) <= set(member.__annotations__), name
            if len(parameters) > 1:
                assert all(f"{p}:" in member.__doc__ for p in parameters), name


def test_backends():
    infos = haline.backend_info()
    assert [info.name for info in infos if info.runs_here and not info.gpu] == haline.backends() != []
    assert sum(info.current for info in infos) == 1
    for info in infos:
        assert info.built == bool(info.target) and info.runs_here != bool(info.reason)


@pytest.mark.parametrize(
    "command", [[sys.executable, "-m", "haline"], [pathlib.Path(sys.executable).parent / "haline"]]
)
def test_command_line(command, tmp_path):
    assert haline.__version__ in run(*command, "info").stdout
    x = np.random.default_rng(1).standard_normal((2, 3, 40)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    run(*command, "normalize", tmp_path / "x.npy", tmp_path / "y.npy")
    assert np.load(tmp_path / "y.npy").tobytes() == haline.instance_norm(x).tobytes()
    refused = run(*command, "normalize", tmp_path / "none.npy", tmp_path / "z.npy", check=False)
    assert refused.returncode not in (0, -6, -11) and refused.stderr
    assert run(*command, "--cmake-dir").stdout.strip() == str(FOLDER / "lib/cmake/haline")


def test_environment():
    """HALINE_BACKEND and HALINE_NUM_THREADS, read by a process of their own."""
    code = "import haline; print([i.name for i in haline.backend_info() if i.current], haline.num_threads())"
    for name in haline.backends():
        environment = os.environ | {"HALINE_BACKEND": name, "HALINE_NUM_THREADS": "3"}
        assert run(sys.executable, "-c", code, env=environment).stdout.split() == [f"['{name}']", "3"]
    wrong = "import haline, numpy; haline.instance_norm(numpy.zeros((1, 1, 2), 'f4'))"
    failed = run(sys.executable, "-c", wrong, env=os.environ | {"HALINE_BACKEND": "vax"}, check=False)
    assert "ValueError" in failed.stderr and "vax" in failed.stderr


def test_symbols():
    """The extension's copy of the library is its own: nothing of it is seen by the process."""
    extension = ctypes.CDLL(haline._haline.__file__)
    assert not hasattr(extension, "haline_instance_norm") and not hasattr(extension, "halide_malloc")


def test_cmake_package(tmp_path):
    """find_package(haline) with nothing but the wheel."""
    for tool in ("cmake", "ninja", "c++"):
        if not shutil.which(tool):
            pytest.skip(f"no {tool}")
    (tmp_path / "main.cpp").write_text(
        "#include <cstdio>\n#include <haline/haline.hpp>\n"
        "int main() { float x[] = {1, 3}; haline::instance_norm({x, {1, 1, 2}}, {x, {1, 1, 2}});\n"
        '  std::printf("%s %.2f %.2f", haline_version(), x[0], x[1]); }\n'
    )
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.23...3.28)\nproject(consumer CXX)\nfind_package(haline 0.1 REQUIRED CONFIG)\n"
        "foreach(library IN ITEMS shared static)\n  add_executable(${library} main.cpp)\n"
        "  target_link_libraries(${library} haline::${library})\nendforeach()\n"
    )
    folder = run(sys.executable, "-m", "haline", "--cmake-dir").stdout.strip()
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja", f"-Dhaline_DIR={folder}")
    run("cmake", "--build", tmp_path / "build")
    for library in ("shared", "static"):
        assert run(tmp_path / "build" / library).stdout == f"{haline.__version__} -1.00 1.00"
