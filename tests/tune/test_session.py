"""What the tuner believes and writes: made-up kernels and measurements."""

import json
import math

import pytest
from tune import schedules
from tune.kernels import Build, Kernel
from tune.measure import Meter, Outcome, Workload
from tune.session import Clock, Tuner
from tune.variants import CompileError


def kernel(name, generator, element="f32"):
    function = f"kernel_{name}_{element}_x86_avx2"
    return Kernel(function, name, generator, "x86_avx2", element, "x86-64", (f"element={element}",), ())


APPLY, LARGE, SMALL = kernel("apply", "apply"), kernel("moments_large", "moments"), kernel("moments_small", "moments")
SPACES = {"apply": {"unroll": ["1", "2", "4"]}, "moments": {"chunks": ["1", "2"]}}
SHAPES = ["1x2x100", "1x2x1000"]


@pytest.fixture
def build(tmp_path):
    return Build(tmp_path, "c++", "21", SPACES, [APPLY, LARGE, SMALL, kernel("gradient_apply", "gradient_apply")])


def rows(ratio, error=0.001):
    return {shape: {"ratio": ratio, "error": error, "gb_per_s": 1, "base_gb_per_s": 1} for shape in SHAPES}


class FakeVariants:
    """Libraries named after what is in them."""

    def compile(self, kernel, params):
        if params.get("unroll") == "2":
            raise CompileError("no such schedule")
        return f"{kernel.kernel}:{'/'.join(params.values())}"

    def link(self, replaced):
        return "+".join(sorted(replaced.values()))


class FakeMeter:
    def __init__(self, ratios):
        self.ratios = ratios
        self.calls = []

    def measure(self, libraries, shapes, seconds, check=True):
        self.calls.append((tuple(libraries), tuple(shapes), check))
        outcomes = {}
        for library in libraries:
            ratio = self.ratios(library, seconds)
            outcome = Outcome(differs="" if math.isfinite(ratio) else "1x2x3")
            if not outcome.differs:
                outcome.rows = {s: {"ratio": ratio, "error": 0.001} for s in shapes}
            outcomes[library] = outcome
        return outcomes


def tuner(build, tmp_path, meter, seconds=3600.0):
    return Tuner(build, FakeVariants(), meter, tmp_path / "journal", Clock(seconds), lambda *_: None)


def test_what_wins_is_found_and_measured_on_its_own_shapes(build, tmp_path):
    meter = FakeMeter(lambda library, _: 0.8 if "apply:4" in library else 1.0)
    found = tuner(build, tmp_path, meter).run([APPLY, LARGE, SMALL], SHAPES)
    assert list(found) == [APPLY]
    assert found[APPLY][0] == {"unroll": "4"}
    assert found[APPLY][1].ratio == pytest.approx(0.8)
    for libraries, shapes, _ in meter.calls:
        expected = {"moments_large": ["1x2x1000"], "moments_small": ["1x2x100"]}
        assert list(shapes) == expected.get(libraries[0].split(":")[0], SHAPES)
    # Bytes are held against the base before anything is timed the first time.
    assert meter.calls[0][2]


def test_a_winner_is_timed_again(build, tmp_path):
    lucky = FakeMeter(lambda library, seconds: 0.5 if seconds < 0.1 else 1.0)
    assert tuner(build, tmp_path, lucky).run([APPLY], SHAPES) == {}


def test_wrong_bytes_and_compile_errors_never_win(build, tmp_path):
    wrong = FakeMeter(lambda library, _: math.inf)
    assert tuner(build, tmp_path, wrong).run([APPLY, LARGE], SHAPES) == {}


def test_without_time_nothing_is_tried(build, tmp_path):
    meter = FakeMeter(lambda library, _: 0.5)
    assert tuner(build, tmp_path, meter, seconds=0).run([APPLY], SHAPES) == {}
    assert meter.calls == []


def test_what_counts_as_winning():
    assert Outcome(rows=rows(0.9)).wins
    assert not Outcome(rows=rows(0.99)).wins  # too little
    assert not Outcome(rows=rows(0.9, error=0.2)).wins  # less than the noise
    assert not Outcome().wins
    assert not Outcome(differs="1x2x3", rows=rows(0.5)).wins
    uneven = rows(0.5)
    uneven["1x2x100"]["ratio"] = 1.1
    assert Outcome(rows=uneven).loses == ["1x2x100"]
    assert not Outcome(rows=uneven).wins


def test_a_file_keeps_the_entries_of_other_kernels(build, tmp_path):
    path = tmp_path / "x.json"
    schedules.write(path, build, "tune", {APPLY: ({"unroll": "4"}, Outcome(rows=rows(0.8)))}, Outcome(rows=rows(0.8)))
    schedules.write(path, build, "tune", {LARGE: ({"chunks": "2"}, Outcome(rows=rows(0.5)))}, Outcome(rows=rows(0.5)))
    root = json.loads(path.read_text())
    assert [(e["kernel"], e["params"]) for e in root["schedules"]] == [
        ("apply", {"unroll": 4}),
        ("moments_large", {"chunks": 2}),
    ]
    assert root["schedules"][0]["times_as_fast"]["1x2x100"] == 1.25
    assert root["machine"] and root["halide"] == "21" and root["command"] == "tune"
    # Back at the hand schedules, there is no entry, and at last no file.
    for back in (APPLY, LARGE):
        schedules.write(path, build, "tune", {back: (build.default(back), Outcome(rows=rows(0.9)))}, Outcome())
    assert not path.exists()


def test_the_kernels_of_a_call(build):
    assert build.choose("x86_avx2", "f32", "forward") == [APPLY, LARGE, SMALL]
    assert [k.kernel for k in build.choose("x86_avx2", "f32", "backward")] == ["gradient_apply"]
    with pytest.raises(SystemExit, match="x86_avx2 wanted"):
        build.choose("z80", "f32", "forward")
    assert len(build.points(APPLY)) == 3
    with pytest.raises(SystemExit, match=r"kernels\.json"):
        Build.read(build.folder)


COMPARE = """#!/bin/sh
for library; do
  case $library in
  -*) ;;
  *bad.so) echo "a library that crashes" >&2; exit 3 ;;
  *wrong.so) echo "{\\"library\\": \\"$library\\", \\"differs\\": \\"forward, 2x9x64\\"}" ;;
  *) echo "{\\"library\\": \\"$library\\", \\"shape\\": \\"1x2\\", \\"ratio\\": 0.5, \\"error\\": 0.01}" ;;
  esac
done
"""


def test_a_library_that_crashes_spoils_no_other(tmp_path):
    program = tmp_path / "compare"
    program.write_text(COMPARE)
    program.chmod(0o755)
    libraries = [tmp_path / name for name in ("good.so", "wrong.so", "bad.so", "fine.so")]
    outcomes = Meter(program, tmp_path / "base.so", Workload("x86-avx2")).measure(libraries, ["1x2"], 0.1)
    assert [outcomes[path].differs for path in libraries] == ["", "forward, 2x9x64", "a library that crashes", ""]
    assert outcomes[libraries[0]].ratio == outcomes[libraries[3]].ratio == 0.5
    assert outcomes[libraries[1]].ratio == math.inf
