"""Time: short blocks of calls, everybody's in turns and in a random order, so that what else the machine does hits all
alike; then the median, with the quartiles as its spread.
"""

import collections.abc
import dataclasses
import math
import random
import statistics
import time

Timer = collections.abc.Callable[[int], float]  # the seconds that so many calls take


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long to measure."""

    rounds: int = 7
    block: float = 0.003  # seconds of a block; one call, where that takes longer
    each: float = 0.3  # seconds that one contestant of one cell may take after its first round
    patience: float = 2.5  # seconds; what is expected to take longer for one call is left out
    pause: float = 0.0  # seconds between blocks, until the threads of others sleep
    wake: float = 0.0  # seconds of calls before a block, until its own threads have woken


QUICK = Budget(rounds=3, block=0.002, each=0.1, patience=1.0)
DEFAULT = Budget()
FULL = Budget(rounds=15, block=0.008, each=4.0, patience=60.0)
BUDGETS = {"quick": QUICK, "default": DEFAULT, "full": FULL}


@dataclasses.dataclass(frozen=True)
class Time:
    """Seconds a call."""

    median: float
    low: float  # the quartiles
    high: float
    blocks: int


def summarize(seconds: list[float]) -> Time:
    """The median and the quartiles of what was measured."""
    median = statistics.median(seconds)
    if len(seconds) < 2:
        return Time(median, median, median, len(seconds))
    low, _, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return Time(median, low, high, len(seconds))


def clock(call: collections.abc.Callable[[], object]) -> Timer:
    """A timer of a call that has none of its own."""

    def timer(times: int) -> float:
        repeats = range(times)
        start = time.perf_counter()
        for _ in repeats:
            call()
        return time.perf_counter() - start

    return timer


@dataclasses.dataclass
class _Contestant:
    timer: Timer
    calls: int
    warm_up: int  # calls before a block, as the others have had the caches since, and its threads sleep
    first: float  # seconds of one call
    spent: float = 0
    seconds: list[float] = dataclasses.field(default_factory=list)


def _enter(timer: Timer, budget: Budget) -> _Contestant:
    """The first call is a warm-up, but for those so slow that it must count."""
    first = timer(1)
    if first > budget.each:
        return _Contestant(timer, 1, 0, first, spent=first, seconds=[first])
    first = min(first, timer(1))
    calls = max(1, min(1_000_000, round(budget.block / max(first, 1e-9))))
    # Three at least: results that another wrote past the caches take a Xeon's L3 as many calls to come back.
    warm_up = max(3, calls // 8, math.ceil(budget.wake / max(first, 1e-9)))
    return _Contestant(timer, calls, warm_up if first < 10 * max(budget.block, budget.wake) else 0, first)


def interleave(timers: dict[str, Timer], budget: Budget, seed: int = 1) -> dict[str, Time]:
    """The time of each, measured in rounds. Those that have had their time are left out of further rounds."""
    order = random.Random(seed)
    contestants = {}
    for name, timer in timers.items():
        time.sleep(budget.pause)
        contestants[name] = _enter(timer, budget)
    names = list(contestants)
    for _ in range(budget.rounds):
        order.shuffle(names)
        for name in names:
            one = contestants[name]
            if one.seconds and one.spent + one.first * one.calls > budget.each:
                continue
            time.sleep(budget.pause)
            if one.warm_up:
                one.timer(one.warm_up)
            seconds = one.timer(one.calls)
            one.spent += seconds
            one.seconds.append(seconds / one.calls)
    return {name: summarize(one.seconds) for name, one in contestants.items()}
