"""scripts/perf_check.sh: what it makes of times. They are made up here; nothing is timed."""

import json
import random

import pytest
from made_up_times import BASE, SLOW
from perf_check import verdict


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


def test_a_suspect_that_can_not_be_repeated_has_lost():
    machine = Machine({SLOW: 1.2})
    report = check(lambda side, names: {} if names else machine(side, names))
    assert [row.name for row in report.lost] == [SLOW]


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
