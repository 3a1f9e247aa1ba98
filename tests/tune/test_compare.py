"""The comparison with autoschedulers, and the arguments: made-up libraries."""

import argparse
import dataclasses

import pytest
from test_session import APPLY, LARGE, SHAPES, SPACES
from tune.__main__ import _duration, arguments
from tune.compare import AUTOSCHEDULERS, compare
from tune.kernels import Build
from tune.measure import Outcome
from tune.variants import CompileError


class FakeVariants:
    base = "base"

    def compile(self, kernel, params):
        return f"{kernel.kernel}:{'/'.join(params.values())}"

    def autoschedule(self, kernel, name):
        if name == "Li2018" or (name, kernel.kernel) == ("Adams2019", "apply"):
            raise CompileError("no way")
        return f"{kernel.kernel}:{name}"

    def link(self, replaced):
        return "+".join(sorted(replaced.values()))


SPEEDS = {"base": 10.0, "apply:1": 8.0, "moments_large:Mullapudi2016": 4.0, "moments_large:Adams2019": 6.0}


class FakeMeter:
    slower = 1.0  # the machine, at each measurement

    def measure(self, libraries, shapes, seconds, check=True):
        (library,) = libraries
        if library == "apply:Mullapudi2016":
            return {library: Outcome(differs="haline_compare: it crashed")}
        speed = SPEEDS[library]
        base, self.slower = 10.0 / self.slower, 2 * self.slower
        row = {"gb_per_s": speed * base / 10, "base_gb_per_s": base, "copy_gb_per_s": 20.0}
        row |= {"ratio": 10 / speed, "error": 0}
        return {library: Outcome(rows={shape: row for shape in shapes})}


def test_each_stands_beside_the_others(tmp_path):
    tuned = dataclasses.replace(APPLY, schedule=("unroll=4",))
    build = Build(tmp_path, "c++", "21", SPACES, [tuned, LARGE])
    result = compare(build, [tuned, LARGE], SHAPES, FakeVariants(), FakeMeter())
    assert result["gb_per_s"] == [
        {"shape": s, "copy": 20.0, "hand": 8.0, "Mullapudi2016": 4.0, "Adams2019": 6.0, "tuned": 10.0} for s in SHAPES
    ]
    assert result["tuned_kernels"] == ["kernel_apply_f32_x86_avx2"]
    assert [(f["autoscheduler"], f["kernel"], f["how"]) for f in result["failures"]] == [
        ("Mullapudi2016", "apply", "fails: it crashed"),
        ("Adams2019", "apply", "does not compile: no way"),
        ("Li2018", "apply", "does not compile: no way"),
        ("Li2018", "moments_large", "does not compile: no way"),
    ]
    assert AUTOSCHEDULERS == ["Mullapudi2016", "Adams2019", "Li2018"]


def test_without_tuned_schedules_there_is_no_such_column(tmp_path):
    build = Build(tmp_path, "c++", "21", SPACES, [LARGE])
    result = compare(build, [LARGE], SHAPES, FakeVariants(), FakeMeter())
    assert result["tuned_kernels"] == []
    assert all("tuned" not in row and row["hand"] == 10.0 for row in result["gb_per_s"])


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_a_budget_has_a_unit(text, seconds):
    assert _duration(text) == seconds
    assert arguments([f"--budget={text}"]).budget == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "10 m", "1d"])
def test_a_wrong_budget_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="wanted"):
        _duration(text)
