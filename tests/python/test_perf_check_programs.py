"""scripts/perf_check.sh: its builds and its runs, of programs that make their times up."""

import json
import pathlib
import subprocess
import sys

import pytest
from made_up_times import BASE, SLOW
from perf_check import __main__ as program
from perf_check import programs, trees


def test_patterns_are_of_one_row():
    assert programs.exactly("copy/8x64-a/real_time") == "copy/8x64-a/real_time"
    assert programs.exactly("a.b*(c)") == r"a\.b\*\(c\)"


def entry(name, cpu, real=1000.0, unit="ns", **more):
    return {"name": name, "run_name": name, "run_type": "iteration", "cpu_time": cpu, "real_time": real,
            "time_unit": unit} | more  # fmt: skip


def test_rows_are_medians_of_the_right_time():
    rows = [entry("forward/a", time) for time in (3.0, 1.0, 2.0)]
    rows += [entry("forward/a", 50.0, run_type="aggregate")]
    rows += [entry("copy/a/real_time/threads:2", 9.0, real=4.0, unit="us"), entry("wrong", 1.0, error_occurred=True)]
    assert programs.read_rows({"benchmarks": rows}) == {
        "forward/a": pytest.approx(2e-9),
        "copy/a/real_time/threads:2": pytest.approx(4e-6),
        "wrong": None,
    }


@pytest.fixture
def builds(tmp_path):
    """Makes build folders with programs that write rows of given times."""

    def make(name, factors=None, status=0, text=None, passes=True):
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
if "--help" in sys.argv:
    print("--pass" if {passes} else "--shapes")
elif "--benchmark_list_tests" in sys.argv:
    print(*(row["name"] for row in rows), sep="\\n")
else:
    assert "\\\\-" not in options["benchmark_filter"]  # which Google Benchmark's regular expressions don't know
    rows = [row for row in rows if re.search(options["benchmark_filter"], row["name"])]
    rows = [row for row in rows if "pass" in options or not row["name"].startswith("backward")]
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


def test_backward_rows_are_compared_where_both_builds_have_them(builds, capsys):
    backward = "backward/f32/nchw/8x64x32x32/x86-avx512"
    head = builds("head", {backward: 1.4})
    assert run_main(builds("base"), head) == 1
    assert f"FAILED: slower: {backward}" in capsys.readouterr().out
    assert run_main(builds("older", passes=False), head) == 0
    assert f"not in base: {backward}" in capsys.readouterr().out


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
