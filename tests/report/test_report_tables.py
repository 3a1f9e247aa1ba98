"""Cells, comparisons, tables, and the page that they are filled into."""

import json

import pytest

from report import page, schedules, table
from report.baseline import Baseline
from report.cells import REGIMES, Cell, load_sets, parse_shape, select, shape_name
from report.data import Arena
from report.summary import Report, contests, geometric_mean, read, regime_fraction, scores

SETS = {
    "regimes": [(2, 6, 2, 4), (8, 64, 32, 32), (2, 32, 128, 128, 128)],
    "odd": [(1, 2, 1000)],
    "all": [(2, 6, 2, 4), (8, 64, 32, 32), (2, 32, 128, 128, 128), (1, 2, 1000), (1, 512, 3199)],
}


def test_the_names_of_cells():
    cell = Cell("forward", "f32", "nchw", (8, 64, 32, 32))
    assert cell.name == "forward/f32/nchw/8x64x32x32"
    assert Cell("forward", "f32", "nhwc", (1, 2, 3), 0.01).name == "forward+leaky_relu/f32/nhwc/1x2x3"
    pictures = Cell("forward", "f32", "nchw", (1, 2, 3), pictures=True)
    assert pictures.name == "forward+pictures/f32/nchw/1x2x3"
    assert parse_shape(shape_name(cell.shape)) == cell.shape
    assert cell.bytes == 8 * 64 * 1024 * 4 * 2
    assert Cell("backward", "bf16", "nchw", (1, 2, 3)).bytes == 6 * 2 * 3


@pytest.mark.parametrize("text", ["", "4", "2x3", "3y4", "1x2x", "1x0x2", "1x-2x3", "axbxc"])
def test_what_is_no_shape_is_an_error(text):
    with pytest.raises(ValueError, match="found, one of rank 3 and up such as 8x64x32x32 wanted"):
        parse_shape(text)


def test_each_profile_has_more_cells_than_the_one_before():
    quick, default, full = (select(profile, SETS) for profile in ("quick", "default", "full"))
    assert set(quick) < set(default) < set(full)
    for cells in (quick, default, full):
        assert len(set(cells)) == len(cells)
    assert len(full) == len(SETS["all"]) * 18
    assert {cell.shape for cell in default} == set(SETS["all"])
    assert {cell.shape for cell in default if cell.pictures} == {(8, 64, 32, 32)}  # neither tiny nor large


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_pictures_are_smooth_and_other_data_are_not(layout):
    arena = Arena(2 * 3 * 32 * 48)
    for pictures in (True, False):
        problem = arena.problem(Cell("forward", "f32", layout, (2, 3, 32, 48), pictures=pictures))
        for plane in problem.planes_first(problem.x).reshape(6, 32, 48):
            step = max(abs(plane[1:] - plane[:-1]).mean(), abs(plane[:, 1:] - plane[:, :-1]).mean())
            assert (step < 0.5) == pictures and abs(plane.mean() - 0.5) < 0.1 and 0.9 < plane.std() < 1.1
    assert problem.x.ctypes.data % 4096 == 0


def test_the_sets_are_the_benchmarks(built):
    sets = load_sets(built("haline_bench"))
    assert {regime.name for regime in REGIMES} | {"odd", "regimes", "all"} <= set(sets)
    assert sum(len(sets[regime.name]) for regime in REGIMES) + 1 == len(sets["regimes"])  # and the smallest
    assert set(sets["regimes"]) <= set(sets["all"])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_baselines_move_every_byte(built, direction, threads):
    baseline = Baseline(built("libhaline_baseline.so"), threads)
    for count in (1, 17, 100_003):
        problem = Arena(count).problem(Cell(direction, "f32", "nchw", (1, 1, count)))
        timers = baseline.timers(problem)
        assert len(timers) >= 2 if direction == "backward" else len(timers) >= 1
        wanted = problem.x if problem.dy is None else problem.x + problem.dy
        for name, timer in timers.items():
            problem.out[:] = -1
            assert timer(2) > 0
            assert (problem.out == wanted).all(), name


@pytest.fixture
def report(row):
    rows = [
        row("forward/f32/nchw/8x64x32x32", "haline", 1e-3),
        row("forward/f32/nchw/8x64x32x32", "pytorch", 4e-3),
        row("forward/f32/nchw/8x64x32x32", "ncnn", None, note="wrong result: error 3 found, at most 0.05 wanted"),
        row("forward/f32/nchw/8x64x32x32", "copy: memcpy", 6e-4),
        row("forward/f32/nchw/8x64x32x32", "copy: other", 5e-4),
        row("forward/f32/nchw/2x6x2x4", "haline", 2e-3),
        row("forward/f32/nchw/2x6x2x4", "pytorch", 3e-3),
        row("forward/f32/nchw/2x6x2x4", "ncnn", 1e-3),
        row("forward/f32/nchw/2x6x2x4", "copy: memcpy", 1e-3),
        row("backward/f32/nchw/2x6x2x4", "haline", 1e-3),
        row("backward/f32/nchw/2x6x2x4", "pytorch", None, note="left out: about 9 s a call"),
        row("backward/f32/nchw/2x6x2x4", "stream: plain", 1e-3),
    ]
    sets = {regime.name: ["8x64x32x32"] for regime in REGIMES} | {"odd": ["2x6x2x4"]}
    peers = {"haline": "1", "pytorch": "2", "ncnn": "3"}
    accuracy = [{"input": "hard", "shape": "1x1", "errors": {"haline": 0.0, "pytorch": "nan", "ncnn": None}}]
    machine = {"processor": "a | b"}
    return Report(machine, "quick", peers, {"openvino": "ImportError: no | such"}, sets, rows, [], accuracy, [1])


def test_contests(report):
    first, second, third = contests(report.rows)
    assert first.of_copy == pytest.approx(0.5)  # of the faster one
    assert first.best["who"] == "pytorch" and first.ahead_of(first.best) == pytest.approx(4)
    assert list(first.peers) == ["pytorch"]  # who did not run is not beaten
    assert second.best["who"] == "ncnn" and second.ahead_of(second.best) == pytest.approx(0.5)
    assert first.bare is first.haline  # as nobody measured it without Python
    assert third.best is None and third.ahead_of(None) is None and third.of_copy == pytest.approx(1)


def test_fractions_of_a_copy_are_those_without_python(report, row):
    report.rows.append(row("forward/f32/nchw/8x64x32x32", "haline-c", 0.8e-3))
    first = contests(report.rows)[0]
    assert first.of_copy == pytest.approx(5 / 8) and first.ahead_of(first.best) == pytest.approx(4)
    assert "haline-c" not in first.peers


def test_scores(report):
    forward, backward = scores(contests(report.rows), ["pytorch", "ncnn"])
    assert (forward.cells, forward.won, len(forward.lost)) == (2, 1, 1)
    assert forward.lost[0].shape == "2x6x2x4"
    assert forward.ahead == pytest.approx((4 * 0.5) ** 0.5)
    assert forward.ahead_of == {"pytorch": pytest.approx((4 * 1.5) ** 0.5), "ncnn": pytest.approx(0.5)}
    assert (backward.cells, backward.ahead, backward.ahead_of["pytorch"]) == (0, None, None)


def test_as_fast_is_not_faster(row):
    rows = [row("forward/f32/nchw/1x2x3", who, 1e-3) for who in ("haline", "pytorch")]
    (score,) = scores(contests(rows), ["pytorch"])
    assert (score.won, len(score.lost)) == (0, 1)


def test_means_and_fractions(report):
    assert geometric_mean([2, 8]) == pytest.approx(4) and geometric_mean([]) is None
    shapes = {"8x64x32x32", "2x6x2x4"}
    assert regime_fraction(contests(report.rows), shapes, "forward/f32/nchw", 1) == pytest.approx(0.5)
    assert regime_fraction(contests(report.rows), shapes, "forward/f32/nchw", 2) is None


def test_numbers_as_people_write_them():
    assert [table.number(value) for value in (123.45, 12.345, 1.2345, 0.12345, None)] == [
        "123",
        "12.3",
        "1.23",
        "0.123",
        "-",
    ]
    assert table.number(0.22, 2) == "0.22"
    assert [table.error(value) for value in (3.4e-7, 0.0, "nan", None)] == ["3e-07", "0", "nan", "-"]


def test_every_table_is_a_table(report):
    for name, text in page.tables(report, "the command", None).items():
        head, *rows = [line for line in text.splitlines() if line.startswith("|")] or ["|"]
        if name in ("goals", "cells"):  # several
            continue
        assert all(row.count("|") == head.count("|") for row in rows), name
    assert "| left out: openvino | ImportError: no / such |" in table.machine(report)
    assert "forward/f32/nchw/2x6x2x4 | 1 |" in table.losses(report)
    assert "ncnn | wrong result" in table.wrongs(report)
    assert "**0.50**" in table.goals(report)  # in cache, where half is the goal
    assert "| hard | 1x1 | 0 | nan | - |" in table.accuracy(report)
    assert len(table.as_csv(report).splitlines()) == len(report.rows) + 1
    assert "| forward/f32/nchw | 1 | 2000 | 3000 | 1000 |" in table.calls(report)
    cells = table.cells(report, "forward/f32/nchw", 1)
    assert "| 8x64x32x32 | 2.00 | 1.00 ±0 % (1e-07) | 0.50 | 4.0 | 0.250 (1e-07) | - |" in cells


def test_a_page_keeps_its_prose():
    text = (
        "# Title\n<!-- report: score -->\nold\n<!-- end -->\nprose\n<!-- report: wrong results -->\n<!-- end -->\nend\n"
    )
    once = page.fill(text, {"score": "new\n", "wrong results": "None.\n"})
    assert "old" not in once and "new" in once and "prose" in once and once.startswith("# Title\n")
    assert page.fill(once, {"score": "new\n", "wrong results": "None.\n"}) == once


def test_a_page_without_places_or_with_unknown_ones_is_an_error():
    with pytest.raises(ValueError, match="no place found"):
        page.fill("prose", {})
    with pytest.raises(ValueError, match="place 'else' found, one of score wanted"):
        page.fill("<!-- report: else -->\n<!-- end -->", {"score": ""})


def test_the_schedules_are_there_where_they_were_compared(tmp_path):
    file = tmp_path / "schedules.json"
    assert schedules.table(None) == schedules.table(file) == schedules.NONE
    failure = {"autoscheduler": "Adams2019", "kernel": "pivot", "how": "does not compile: no\nmore"}
    rows = [{"shape": "1x2x3", "copy": 100.0, "hand": 50.0, "tuned": 51.0}]
    file.write_text(json.dumps({"command": "tune", "gb_per_s": rows, "failures": [failure]}))
    text = schedules.table(file)
    assert "| 1x2x3 | 100 | 50.0 | 51.0 |" in text and "| Adams2019 | pivot | does not compile: no |" in text


def test_reading_what_was_measured(tmp_path, row):
    with pytest.raises(ValueError, match="no threads-"):
        read(tmp_path)
    for threads in (1, 2, 10):
        part = {"machine": {}, "profile": "quick", "threads": threads, "sets": {}, "peers": {"haline": "1"}}
        part |= {"missing": {}, "curve": [], "accuracy": []}
        part["rows"] = [row("forward/f32/nchw/1x2x3", "haline", 1e-3, threads)]
        (tmp_path / f"threads-{threads}.json").write_text(json.dumps(part))
    found = read(tmp_path)
    assert found.threads == [1, 2, 10] and len(found.rows) == 3
