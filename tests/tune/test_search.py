"""The tuner's search, with times that are made up."""

import math

import pytest
from tune.search import Search

SMALL = {"unroll": ["1", "2", "4", "8"], "planes": ["1", "2", "4"]}
LARGE = {name: [str(i) for i in range(8)] for name in ("a", "b", "c", "d")}


def small_cost(p):
    return {"1": 1.0, "2": 0.9, "4": 0.8, "8": 1.2}[p["unroll"]] * {"1": 1.0, "2": 0.95, "4": 1.1}[p["planes"]]


def large_cost(p):
    return 1 + sum((int(p[name]) - 5) ** 2 for name in p) / 100 - 1.2 * 0.5


def default(space):
    return {name: values[0] for name, values in space.items()}


def make(space, path, current=None):
    return Search("kernel", space, current or default(space), path)


def run(search, cost, batch=4, most=10**6):
    """Runs a search; all that was evaluated, in batches of at most `batch`."""
    seen = []

    def evaluate(points):
        assert 0 < len(points) <= batch
        seen.extend(points)
        return [cost(p) for p in points]

    search.run(evaluate, batch, lambda progress: len(seen) < most)
    return seen


def test_a_small_space_is_searched_whole(tmp_path):
    search = make(SMALL, tmp_path / "journal")
    seen = run(search, small_cost)
    assert len(seen) == 11  # each once, and not the one that the build has
    assert len({tuple(p.items()) for p in seen}) == 11
    assert default(SMALL) not in seen
    assert search.best(2) == [{"unroll": "4", "planes": "2"}, {"unroll": "4", "planes": "1"}]
    assert search.progress.tried == search.progress.of == 12
    assert search.progress.best == pytest.approx(0.76)


def test_a_large_space_is_searched_with_sense(tmp_path):
    search = make(LARGE, tmp_path / "journal")
    seen = run(search, large_cost, most=300)
    assert len({tuple(p.items()) for p in seen}) == len(seen) <= 303
    # 300 points at random of 4,096 would come within 4 of the best one; better than nearly all of them is asked for.
    all_costs = sorted(large_cost(p) for p in search._points)
    assert large_cost(search.best(1)[0]) <= all_costs[20]


def test_wrong_bytes_never_win(tmp_path):
    search = make(SMALL, tmp_path / "journal")
    run(search, lambda p: math.inf if p["unroll"] == "4" else small_cost(p))
    assert all(p["unroll"] != "4" for p in search.best(12))
    assert search.best(1) == [{"unroll": "2", "planes": "2"}]


def test_nothing_faster_is_nothing(tmp_path):
    search = make(SMALL, tmp_path / "journal")
    run(search, lambda p: 1.01)
    assert search.best(3) == []
    assert search.progress.params == default(SMALL)


@pytest.mark.parametrize("space", [SMALL, LARGE])
def test_a_stopped_search_goes_on(tmp_path, space):
    cost = small_cost if space is SMALL else large_cost
    path = tmp_path / "journal"
    first = make(space, path)
    before = run(first, cost, batch=2, most=6)

    # Stopped while two are being timed: these are not known.
    def stop(points):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.run(stop, 2, lambda progress: True)
    again = make(space, path)
    assert again.progress.tried == 7
    assert again.best(3) == make(space, path).best(3)
    after = run(again, cost, most=200)
    assert not {tuple(p.items()) for p in before} & {tuple(p.items()) for p in after}
    if space is SMALL:
        assert len(before) + len(after) == 11
        assert again.best(1) == [{"unroll": "4", "planes": "2"}]


def test_two_kernels_share_a_journal(tmp_path):
    path = tmp_path / "journal"
    run(Search("one", SMALL, default(SMALL), path), small_cost)
    assert Search("two", SMALL, default(SMALL), path).progress.tried == 1
    assert Search("one", SMALL, default(SMALL), path).progress.tried == 12
