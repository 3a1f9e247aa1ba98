"""The search over a kernel's schedules: knows parameters and ratios, not kernels nor clocks.

Optuna proposes and remembers: its journal, a file, is what makes a search that was stopped go on where it was.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

Params = dict[str, str]

# The ratios (time to that of the schedule the build has; infinite: wrong) of some schedules.
Evaluate = Callable[[list[Params]], list[float]]

_WHOLE = 48  # spaces of so many points are searched point by point
_WORST = 1e9  # what a wrong schedule's ratio is in the journal, which takes no infinity


@dataclass
class Progress:
    tried: int
    of: int
    best: float
    params: Params


class Search:
    """One kernel's."""

    def __init__(self, name: str, space: dict[str, list[str]], current: Params, journal: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._distributions = {n: optuna.distributions.CategoricalDistribution(v) for n, v in space.items()}
        self._points = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
        random.Random(1).shuffle(self._points)
        sampler = optuna.samplers.TPESampler(seed=1, n_startup_trials=12, constant_liar=True)
        storage = JournalStorage(JournalFileBackend(str(journal)))
        self._study = optuna.create_study(
            study_name=name, storage=storage, sampler=sampler, direction="minimize", load_if_exists=True
        )
        self._known: dict[tuple[str, ...], float] = {self._key(current): 1.0}
        for trial in self._study.get_trials(states=[optuna.trial.TrialState.COMPLETE]):
            self._known[self._key(trial.params)] = trial.values[0]

    def _key(self, params: Params) -> tuple[str, ...]:
        return tuple(params[name] for name in self._space)

    def _params(self, key: tuple[str, ...]) -> Params:
        return dict(zip(self._space, key, strict=True))

    @property
    def progress(self) -> Progress:
        key, best = min(self._known.items(), key=lambda item: item[1])
        return Progress(len(self._known), len(self._points), best, self._params(key))

    def best(self, count: int) -> list[Params]:
        """Those that seem faster than what the build has, the fastest first."""
        faster = sorted((ratio, key) for key, ratio in self._known.items() if ratio < 1)
        return [self._params(key) for _, key in faster[:count]]

    def _propose(self) -> Params | None:
        """A schedule that is not known; nothing where none comes up."""
        if len(self._points) <= _WHOLE:
            return next((p for p in self._points if self._key(p) not in self._known), None)
        for _ in range(4 * _WHOLE):
            trial = self._study.ask(self._distributions)
            params = dict(trial.params)
            known = self._known.get(self._key(params))
            if known is None:
                self._study.tell(trial, state=optuna.trial.TrialState.FAIL)  # `run` adds it when it is known
                return params
            self._study.tell(trial, min(known, _WORST))  # told again, the sampler looks elsewhere
        return None

    def run(self, evaluate: Evaluate, batch: int, go_on: Callable[[Progress], bool]) -> None:
        """Asks, evaluates and remembers, `batch` at a time, until all is known or `go_on` says no."""
        while go_on(self.progress):
            proposed: list[Params] = []
            for _ in range(batch):
                params = self._propose()
                if params is None:
                    break
                proposed.append(params)
                self._known[self._key(params)] = math.inf  # for the next proposal
            if not proposed:
                return
            for params in proposed:
                del self._known[self._key(params)]
            for params, ratio in zip(proposed, evaluate(proposed), strict=True):
                value = min(ratio, _WORST)
                self._known[self._key(params)] = value
                self._study.add_trial(
                    optuna.trial.create_trial(params=params, distributions=self._distributions, value=value)
                )
