"""The oracle itself, and that it notices what is wrong."""

import math

import numpy as np
import pytest

from report.cells import Cell
from report.data import NEAR, Arena
from report.oracle import PROMISE, Oracle, verdict

SHAPES = [(2, 6, 2, 4), (3, 5, 7), (1, 3, 70000), (2, 40, 33, 65), (4, 2, 1, 1)]


def direct(problem):
    """The formulas of docs/numerics.md in longdouble, of everything at once, [N, C, *]."""
    wide = np.longdouble
    x = problem.planes_first(problem.x).astype(wide)
    inner = tuple(range(2, x.ndim))
    spread = (1, -1, *[1] * len(inner))
    mean = x.mean(inner, keepdims=True)
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(inner, keepdims=True) + wide(problem.eps))
    hat = (x - mean) * rstd
    scale, shift = (array.astype(wide).reshape(spread) for array in (problem.scale, problem.shift))
    z, slope = hat * scale + shift, wide(problem.cell.slope)
    if problem.dy is None:
        return {"y": np.where(z > 0, z, z * slope)}
    dy = problem.planes_first(problem.dy).astype(wide)
    dy = np.where(z > 0, dy, dy * slope)
    over = (0, *inner)
    dx = scale * rstd * (dy - dy.mean(inner, keepdims=True) - hat * (dy * hat).mean(inner, keepdims=True))
    return {"dx": dx, "dscale": (dy * hat).sum(over), "dshift": dy.sum(over)}


def problem_of(shape, direction="forward", layout="nchw", dtype="f32", slope=1.0):
    cell = Cell(direction, dtype, layout, shape, slope)
    return Arena(cell.elements).problem(cell)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("shape", SHAPES)
def test_forward(shape, layout):
    for dtype in ("f32", "bf16", "f16"):
        for slope in (1.0, 0.01):
            problem = problem_of(shape, layout=layout, dtype=dtype, slope=slope)
            assert Oracle(problem).error(direct(problem)) < 1e-13


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("shape", SHAPES)
def test_backward(shape, layout):
    for dtype in ("f32", "bf16"):
        for slope in (1.0, 0.01, 0.0):
            problem = problem_of(shape, "backward", layout, dtype, slope)
            assert Oracle(problem).error(direct(problem)) < 1e-12


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_nobody_is_held_to_an_activation_near_0(layout):
    arena, shape = Arena(2 * 40 * 33 * 65), (2, 40, 33, 65)
    problem = arena.problem(Cell("backward", "f32", layout, shape, 0.01))
    plain = arena.problem(Cell("backward", "f32", layout, shape))
    y = direct(arena.problem(Cell("forward", "f32", layout, shape)))["y"]
    kept, drawn = (one.planes_first(one.dy) for one in (problem, plain))
    near = np.abs(y) < NEAR
    assert 20 < near.sum() < y.size / 500 and (drawn != 0).all()
    assert (kept[near] == 0).all() and (kept[~near] == drawn[~near]).all()
    # A sign that is wrong elsewhere is noticed.
    wrong = direct(problem)
    wrong["dx"][0, 0] = direct(plain)["dx"][0, 0]
    assert "wrong result" in verdict("haline", problem.cell, Oracle(problem).error(wrong))


def test_an_offset_does_not_spoil_it():
    problem = problem_of((1, 2, 4096))
    problem.x[:] = problem.x.copy() + np.float32(1e7)
    assert Oracle(problem).error(direct(problem)) < 1e-9


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("where", [0, 5000, -1])
def test_one_wrong_element_is_noticed(layout, where):
    problem = problem_of((2, 40, 33, 65), layout=layout)
    oracle, results = Oracle(problem), direct(problem)
    results["y"] = results["y"].astype(np.float32)
    assert verdict("haline", problem.cell, oracle.error(results)) == ""
    results["y"].flat[where] += np.float32(1e-4)
    assert oracle.error(results) > PROMISE["forward"]
    assert "wrong result" in verdict("haline", problem.cell, oracle.error(results))
    results["y"].flat[where] = np.nan
    assert math.isnan(oracle.error(results))
    assert "wrong result" in verdict("pytorch", problem.cell, math.nan)


@pytest.mark.parametrize("which", ["dx", "dscale", "dshift"])
def test_one_wrong_gradient_is_noticed(which):
    problem = problem_of((2, 6, 100), "backward")
    for wrong in (lambda value: value + 100, lambda value: np.nan):
        results = direct(problem)
        assert verdict("haline", problem.cell, Oracle(problem).error(results)) == ""
        results[which].flat[-1] = wrong(results[which].flat[-1])
        assert "wrong result" in verdict("pytorch", problem.cell, Oracle(problem).error(results))


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("samples", [1, 3])
def test_of_large_tensors_the_first_and_last_channel_are_looked_at(direction, layout, samples):
    problem = problem_of((samples, 10, 64), direction, layout)
    assert Oracle(problem, limit=200).error(direct(problem)) < 1e-12
    for channel in (0, 9):
        results = direct(problem)
        results[next(iter(results))][-1, channel, 0] += 1
        assert Oracle(problem, limit=200).error(results) > 0.1
    assert sum(group.x.size for group in Oracle(problem, limit=200).groups) < problem.x.size


def test_haline_is_held_to_its_promise_and_others_to_common_sense():
    cell = Cell("forward", "f32", "nchw", (1, 1, 4))
    assert verdict("haline", cell, 2e-6) and not verdict("pytorch", cell, 2e-6)
    assert verdict("pytorch", cell, 0.1)
