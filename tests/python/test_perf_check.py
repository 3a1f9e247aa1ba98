"""scripts/perf_check.sh: what it makes of times. They are made up here; nothing is timed."""

import json
import pathlib
import random
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from perf_check import __main__ as program  # noqa: E402
from perf_check import programs, trees, verdict  # noqa: E402

BASE = {
    "copy/8x64x32x32": 20e-6,
    "forward/f32/nchw/8x64x32x32/x86-avx512": 45e-6,
    "forward/f32/nchw/32x512x2x2/x86-avx512": 30e-6,
    "backward/f32/nchw/8x64x32x32/x86-avx512": 90e-6,
    "call/cpp/2x6x2x4/x86-avx512": 0.5e-6,
}
SLOW = "forward/f32/nchw/8x64x32x32/x86-avx512"


class Machine:
    """Runs that take the times of BASE, head's times a factor, with noise; keeps what it was asked for."""

    def __init__(self, factors=None, noise=0.0, seed=1, disturb=None):
        self.factors = factors or {}
        self.noise = noise
        self.random = random.Random(seed)
        self.disturb = disturb or (lambda run, side, name: 1)
        self.asked = []

    def __call__(self, side, names):
        self.asked.append((side, names))
        run = len(self.asked) - 1
        return {
            name: seconds
            * (self.factors.get(name, 1) if side == "head" else 1)
            * (1 + self.random.uniform(0, self.noise))
            * self.disturb(run, side, name)
            for name, seconds in BASE.items()
            if names is None or name in names
        }


def check(machine, rounds=5, threshold=0.1):
    return verdict.check(machine, rounds, threshold)


def test_equal_builds_pass_and_are_measured_once():
    machine = Machine()
    report = check(machine)
    assert report.passed
    assert [row.name for row in report.rows] == list(BASE)
    assert [row.ratio for row in report.rows] == [1] * len(BASE)
    assert machine.asked == [(side, None) for side in ("base", "head", "head", "base") * 2 + ("base", "head")]


@pytest.mark.parametrize("seed", range(20))
def test_noise_passes(seed):
    assert check(Machine(noise=0.3, seed=seed)).passed


@pytest.mark.parametrize("seed", range(20))
def test_a_loss_fails_also_in_noise(seed):
    report = check(Machine({SLOW: 1.3}, noise=0.15, seed=seed), rounds=7)
    assert [row.name for row in report.lost] == [SLOW]
    assert not report.passed


def test_a_loss_is_measured_again_alone_and_twice_as_long():
    machine = Machine({SLOW: 1.15})
    report = check(machine, rounds=3)
    assert not report.passed
    assert [names for _, names in machine.asked] == [None] * 6 + [[SLOW]] * 12
    assert report.lost[0].ratio == pytest.approx(1.15)
    assert len(report.lost[0].ratios) == 6


@pytest.mark.parametrize(("factor", "threshold", "passed"), [(1.09, 0.1, True), (1.11, 0.1, False), (1.11, 0.2, True)])
def test_the_threshold(factor, threshold, passed):
    assert check(Machine({SLOW: factor}), threshold=threshold).passed == passed


def test_what_the_repeat_does_not_confirm_passes():
    # Something else ran on the machine whenever head was measured first.
    report = check(Machine(disturb=lambda run, side, name: 1.5 if run < 10 and side == "head" and name == SLOW else 1))
    assert report.passed
    assert [row.name for row in report.repeated] == [SLOW]
    assert report.verdict(report.rows[1]) == "not confirmed"


def test_single_slow_rounds_are_not_suspicious():
    machine = Machine(disturb=lambda run, side, name: 3 if run in (3, 8) else 1)
    assert check(machine).passed
    assert len(machine.asked) == 10


def test_a_copy_that_is_slower_is_the_machines_business():
    report = check(Machine({"copy/8x64x32x32": 2.0}))
    assert report.passed
    assert not report.repeated


def test_gains_are_told():
    report = check(Machine({SLOW: 0.5}))
    assert report.passed
    assert [report.verdict(row) for row in report.rows] == ["", "gain", "", "", ""]
    assert any(SLOW in line and "0.500" in line and line.endswith("gain") for line in verdict.table(report))


def test_a_lost_row_is_shown_with_its_repeat():
    lines = list(verdict.table(check(Machine({SLOW: 1.25}))))
    first = next(i for i, line in enumerate(lines) if line.startswith(SLOW))
    assert lines[first].endswith("?")
    assert "again" in lines[first + 1]
    assert lines[first + 1].endswith("LOSS")


def test_rows_of_one_build_alone_are_named_and_not_judged():
    backward = "backward/f32/nchw/8x64x32x32/x86-avx512"

    def run(side, names):
        return {name: seconds for name, seconds in BASE.items() if side == "head" or name != backward}

    report = check(run)
    assert report.passed
    assert report.missing == {"base": [backward], "head": []}
    assert backward not in [row.name for row in report.rows]
    assert any("not in base" in line and backward in line for line in verdict.table(report))


@pytest.mark.parametrize(("side", "passed"), [("base", True), ("head", False)])
def test_a_wrong_row_fails_where_it_is_new(side, passed):
    report = check(lambda each, names: BASE | ({SLOW: None} if each == side else {}))
    assert report.passed == passed
    assert report.refused[side] == [SLOW]
    assert report.broken == ([] if passed else [SLOW])


def test_no_rows_do_not_pass():
    assert not check(lambda side, names: {}).passed


def test_json_says_it_all():
    document = json.loads(json.dumps(verdict.as_json(check(Machine({SLOW: 1.5})))))
    assert not document["passed"]
    assert document["lost"] == [SLOW]
    assert document["rows"][1]["verdict"] == "LOSS"
    assert len(document["rows"][1]["head"]) == 5
    assert len(document["repeated"][0]["head"]) == 10


def entry(name, cpu, real=1000.0, unit="ns", **more):
    return {"name": name, "run_name": name, "run_type": "iteration", "cpu_time": cpu, "real_time": real,
            "time_unit": unit} | more  # fmt: skip


def test_rows_are_medians_of_the_right_time():
    rows = [entry("forward/a", time) for time in (3.0, 1.0, 2.0)]
    rows += [entry("forward/a", 50.0, run_type="aggregate")]
    rows += [entry("copy/a/real_time", 9.0, real=4.0, unit="us"), entry("wrong", 1.0, error_occurred=True)]
    assert programs.read_rows({"benchmarks": rows}) == {
        "forward/a": pytest.approx(2e-9),
        "copy/a/real_time": pytest.approx(4e-6),
        "wrong": None,
    }


@pytest.fixture
def builds(tmp_path):
    """Makes build folders with programs that write rows of given times."""

    def make(name, factors=None, status=0, text=None):
        folder = tmp_path / name
        (folder / "bench").mkdir(parents=True)
        for bench in ("haline_bench", "haline_call_bench"):
            rows = {
                row: time for row, time in BASE.items() if row.startswith("call/") == (bench == "haline_call_bench")
            }
            rows = [entry(row, time * 1e9 * (factors or {}).get(row, 1)) for row, time in rows.items()]
            path = folder / "bench" / bench
            path.write_text(f"""#!{sys.executable}
import json, re, sys
options = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:] if "=" in word)
rows = json.loads({json.dumps(rows)!r})
if "--benchmark_list_tests" in sys.argv:
    print(*(row["name"] for row in rows), sep="\\n")
else:
    rows = [row for row in rows if re.search(options["benchmark_filter"], row["name"])]
    with open(options["benchmark_out"], "w") as out:
        out.write({text!r} or json.dumps({{"benchmarks": rows}}))
sys.stderr.write("a word\\n")
sys.exit({status})
""")
            path.chmod(0o755)
        return folder

    return make


def run_main(base, head, *more):
    return program.main([f"--base-build={base}", f"--head-build={head}", "--rounds=2", *more])


def test_the_program_passes_equal_builds(builds, capsys, tmp_path):
    out = tmp_path / "report.json"
    assert run_main(builds("base"), builds("head"), f"--json={out}") == 0
    said = capsys.readouterr().out
    assert "passed" in said
    assert "call/cpp/2x6x2x4/x86-avx512" in said
    assert json.loads(out.read_text())["passed"]


def test_the_program_fails_on_a_loss(builds, capsys):
    factors = {SLOW: 1.2, "call/cpp/2x6x2x4/x86-avx512": 2.0}
    assert run_main(builds("base"), builds("head", factors)) == 1
    assert f"FAILED: slower: {SLOW}, call/cpp/2x6x2x4/x86-avx512" in capsys.readouterr().out
    assert run_main(builds("base2"), builds("head2", factors), "--filter=copy|backward") == 0


@pytest.mark.parametrize(("more", "message"), [
    ({"status": 2}, "ended with status 2: a word"),
    ({"text": "{not json"}, "rows that can't be read"),
    ({"text": '{"benchmarks": [{"name": "x"}]}'}, "rows that can't be read"),
])  # fmt: skip
def test_programs_that_fail_are_errors(builds, capsys, more, message):
    assert run_main(builds("base"), builds("head", **more)) == 2
    assert message in capsys.readouterr().err


def test_what_can_not_be_checked_is_an_error(builds, capsys, tmp_path):
    assert run_main(builds("base"), tmp_path / "nowhere") == 2
    assert "No such file" in capsys.readouterr().err
    assert run_main(builds("base2"), builds("head2"), "--filter=nothing") == 2
    assert "no rows" in capsys.readouterr().err
    assert program.main(["no-such-commit"]) == 2
    assert "'no-such-commit' found" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--rounds=0"], ["--threshold=-1"], ["--threads=0"], ["a", "--base-build=b"], ["--x"]]
)
def test_bad_words_are_explained(words, capsys):
    with pytest.raises(SystemExit) as ended:
        program.main(words)
    assert ended.value.code == 2
    assert words[0].split("=")[0].lstrip("-") in capsys.readouterr().err


@pytest.mark.parametrize("status", [0, 1])
def test_builds_follow_one_recipe_or_say_why_not(tmp_path, monkeypatch, status):
    fake = tmp_path / "bin" / "cmake"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$@"\nexit {status}\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    monkeypatch.setenv("Halide_DIR", "/halide/cmake/Halide")
    log = tmp_path / "logs" / "build.log"
    if status:
        with pytest.raises(trees.TreeError, match=r"does not build.*\n-S source -B build") as failed:
            trees.build(tmp_path, pathlib.Path("source"), pathlib.Path("build"), log)
        assert str(log) in str(failed.value)
    else:
        assert trees.build(tmp_path, pathlib.Path("source"), pathlib.Path("build"), log) == pathlib.Path("build")
        configure, make = log.read_text().splitlines()
        assert "-DHalideHelpers_DIR=/halide/cmake/HalideHelpers" in configure
        assert "-DCMAKE_BUILD_TYPE=Release" in configure
        assert make == "--build build --target haline_bench haline_call_bench"


def test_the_base_is_where_the_branch_left_main(tmp_path):
    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", tmp_path, *words], check=True,
                       capture_output=True)  # fmt: skip

    def change(text):
        (tmp_path / "file").write_text(text)
        git("add", "file")

    git("init", "--initial-branch=main")
    change("1")
    git("commit", "-m", "1")
    first = trees.commit(tmp_path, "HEAD")
    change("2")
    git("commit", "-m", "2")
    second = trees.commit(tmp_path, "HEAD")
    assert trees.default_base(tmp_path) == first
    change("3")
    assert trees.default_base(tmp_path) == second
    git("switch", "-c", "branch")
    git("commit", "-m", "3")
    assert trees.default_base(tmp_path) == second
    folder = trees.checkout(tmp_path, first, tmp_path / "tree")
    assert (folder / "file").read_text() == "1"
    assert (trees.checkout(tmp_path, second, folder) / "file").read_text() == "2"
