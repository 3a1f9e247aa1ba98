"""A cell from the inputs to its rows, with peers of the test's own."""

import sys

import numpy as np
import pytest
from test_report_oracle import direct

from report.cells import Cell
from report.data import Arena
from report.measure import Budget
from report.peers import NAMES, Prepared, load
from report.run import Runner

CELL = Cell("forward", "f32", "nchw", (2, 3, 50000))


class Peer:
    """Right, at a microsecond a call, unless told otherwise."""

    version = "1"

    def __init__(self, name, refusal="", failure=None, off=0.0, seconds=1e-6):
        self.name, self.refusal, self.failure, self.off, self.seconds = name, refusal, failure, off, seconds
        self.ran = 0

    def refuses(self, cell):
        return self.refusal

    def prepare(self, problem):
        if self.failure:
            raise self.failure

        def timer(times):
            self.ran += times
            problem.out[:] = direct(problem)["y"] + self.off
            return self.seconds * times

        return Prepared(lambda: timer(1), lambda: {"y": problem.out}, "somehow", timer)


class Baseline:
    """Two copies."""

    def timers(self, problem):
        return {"copy: slow": lambda times: 2e-6 * times, "copy: fast": lambda times: 1e-6 * times}


def rows_of(*peers, cells=(CELL,)):
    runner = Runner(list(peers), Baseline(), Budget(rounds=2, block=1e-6, each=0.5, patience=4), 1)
    arena = Arena(max(cell.elements for cell in cells))
    return [{row["who"]: row for row in runner.cell(cell, arena)} for cell in cells]


def test_the_rows_of_a_cell():
    (rows,) = rows_of(Peer("haline"), Peer("other", seconds=2e-6))
    assert list(rows) == ["haline", "other", "copy: slow", "copy: fast"]
    assert rows["haline"]["seconds"] == 1e-6 and rows["other"]["seconds"] == 2e-6
    assert rows["haline"]["gb_per_s"] == pytest.approx(2 * 300000 * 4 / 1e-6 / 1e9)
    assert rows["haline"]["error"] < 1e-6 and rows["haline"]["note"] == "" and rows["haline"]["how"] == "somehow"


def test_a_wrong_result_is_not_timed():
    wrong = Peer("haline", off=1e-4)
    (rows,) = rows_of(wrong, Peer("other"))
    assert rows["haline"]["seconds"] is None and "wrong result" in rows["haline"]["note"]
    assert rows["haline"]["error"] == pytest.approx(1e-4, rel=0.1)
    assert wrong.ran == 1 and rows["other"]["seconds"]


def test_a_result_that_is_not_a_number_is_wrong():
    (rows,) = rows_of(Peer("other", off=np.nan))
    assert rows["other"]["seconds"] is None and "nan" in rows["other"]["note"] and rows["other"]["error"] is None


def test_what_is_not_written_is_wrong():
    peer = Peer("other")
    peer.prepare = lambda problem: Prepared(lambda: None, lambda: {"y": problem.out}, timer=lambda times: 1e-6)
    (rows,) = rows_of(Peer("haline"), peer)
    assert "wrong result" in rows["other"]["note"]


def test_refusals_and_failures_are_told_by_name():
    (rows,) = rows_of(Peer("a", refusal="no gradient"), Peer("b", failure=RuntimeError("broken\nsecond line")))
    assert rows["a"]["note"] == "no gradient" and rows["a"]["seconds"] is None
    assert rows["b"]["note"] == "RuntimeError: broken"


def test_the_slow_run_once_or_not_at_all():
    larger = Cell("forward", "f32", "nchw", (2, 3, 200000))
    first, second = rows_of(Peer("slow", seconds=2.0), cells=(CELL, larger))
    assert first["slow"]["blocks"] == 1 and first["slow"]["seconds"] == 2.0
    assert second["slow"]["seconds"] is None and second["slow"]["note"] == "left out: about 8 s a call"


def test_missing_peers_are_told_by_name(monkeypatch):
    for module in ("torch", "onnx", "openvino", "ncnn"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in NAMES:
        monkeypatch.delitem(sys.modules, f"report.peers.{name}_peer", raising=False)
    here, missing = load(["haline", "pytorch", "onnxruntime", "openvino", "ncnn"], 1)
    assert [peer.name for peer in here] == ["haline"]
    assert list(missing) == ["pytorch", "onnxruntime", "openvino", "ncnn"]
    assert all("torch" in missing["pytorch"] and reason for reason in missing.values())


def test_an_unknown_peer_is_an_error():
    with pytest.raises(ValueError, match=r"peer: tensorflow found, one of haline, .* wanted"):
        load(["tensorflow"], 1)


@pytest.mark.parametrize("name", ["haline", "haline-c"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("dtype", ["f32", "bf16", "f16"])
def test_haline_keeps_its_promise(direction, layout, dtype, name, built, monkeypatch):
    monkeypatch.setenv("HALINE_BASELINE", str(built("libhaline_baseline.so")))
    shapes, slopes = [(2, 6, 2, 4), (3, 5, 777)], (1.0, 0.01)
    cells = [Cell(direction, dtype, layout, shape, slope) for shape in shapes for slope in slopes]
    peers, missing = load([name], 1)
    assert not missing
    for rows in rows_of(*peers, cells=cells):
        assert rows[name]["note"] == "" and rows[name]["how"] and rows[name]["seconds"] > 0
