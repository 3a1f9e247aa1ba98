"""What the tests of the benchmark report share: its folder, and rows as a measurement would give them."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))


@pytest.fixture
def built():
    """A file of the release build's benchmarks."""

    def find(name):
        file = ROOT / "build/release/bench" / name
        if not file.exists():
            pytest.skip(f"{file} is not built")
        return file

    return find


@pytest.fixture
def row():
    """A row; None for the seconds where it did not run."""

    def make(cell, who, seconds, threads=1, error=1e-7, note=""):
        form, _, shape = cell.rpartition("/")
        direction, dtype, layout = form.split("/")
        speed = 1e6 / seconds / 1e9 if seconds else None
        return {
            "cell": cell,
            "direction": direction,
            "dtype": dtype,
            "layout": layout,
            "shape": shape,
            "threads": threads,
            "who": who,
            "seconds": seconds,
            "low": seconds,
            "high": seconds,
            "blocks": 1 if seconds else 0,
            "bytes": 1e6,
            "gb_per_s": speed,
            "error": error,
            "note": note,
            "how": "",
        }

    return make
