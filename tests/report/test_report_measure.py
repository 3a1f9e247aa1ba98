"""Blocks, rounds and their statistics, with a clock of the test's own."""

from report.measure import Budget, interleave, summarize


class Contestant:
    """Takes the same time for every call, and counts."""

    def __init__(self, seconds):
        self.seconds, self.blocks = seconds, []

    def __call__(self, times):
        self.blocks.append(times)
        return self.seconds * times


def test_the_median_and_the_quartiles():
    time = summarize([5.0, 1.0, 2.0, 3.0, 100.0])
    assert (time.median, time.low, time.high, time.blocks) == (3.0, 2.0, 5.0, 5)


def test_one_block_has_no_spread():
    time = summarize([2.0])
    assert (time.median, time.low, time.high, time.blocks) == (2.0, 2.0, 2.0, 1)


def test_everyone_gets_every_round():
    fast, slow = Contestant(1e-6), Contestant(1e-3)
    times = interleave({"fast": fast, "slow": slow}, Budget(rounds=5, block=0.004, each=1))
    assert times["fast"].median == 1e-6 and times["slow"].median == 1e-3
    assert times["fast"].blocks == times["slow"].blocks == 5
    assert fast.blocks.count(4000) == 5  # a block is of four milliseconds
    assert slow.blocks.count(4) == 5


def test_blocks_come_in_turns():
    order = []

    def contestant(name):
        return lambda times: order.append(name) or times * 0.01

    interleave({name: contestant(name) for name in "abc"}, Budget(rounds=6, block=0.001, each=10))
    rounds = [order[i : i + 3] for i in range(6, len(order), 3)]  # two calls each come before
    assert len(rounds) == 6 and all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1  # in no fixed order


def test_the_slow_get_fewer_blocks_and_at_least_one():
    slow = Contestant(0.1)
    assert interleave({"slow": slow}, Budget(rounds=9, block=0.001, each=0.25))["slow"].blocks == 2
    very_slow = Contestant(3.0)
    time = interleave({"very slow": very_slow}, Budget(rounds=9, block=0.001, each=0.25))["very slow"]
    assert (time.median, time.blocks) == (3.0, 1)
    assert very_slow.blocks == [1]  # its first call counts


def test_what_another_left_in_the_caches_is_not_timed():
    short, long = Contestant(0.002), Contestant(0.02)
    interleave({"short": short, "long": long}, Budget(rounds=2, block=0.002, each=1))
    assert short.blocks == [1, 1, 3, 1, 3, 1]  # three calls, then the block
    assert long.blocks == [1, 1, 1, 1]  # takes long enough as it is


def test_threads_have_time_to_wake():
    fast, slow, slower = Contestant(1e-5), Contestant(0.01), Contestant(0.1)
    budget = Budget(rounds=2, block=0.003, each=1, wake=0.004)
    interleave({"fast": fast, "slow": slow, "slower": slower}, budget)
    assert fast.blocks == [1, 1, 400, 300, 400, 300]  # four milliseconds of calls, then the block
    assert slow.blocks == [1, 1, 3, 1, 3, 1]  # three calls, then the block
    assert slower.blocks == [1, 1, 1, 1]  # takes long enough as it is


def test_a_call_that_takes_no_time_is_no_division_by_zero():
    assert interleave({"nothing": Contestant(0.0)}, Budget(rounds=1))["nothing"].median == 0
