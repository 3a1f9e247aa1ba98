"""One search over the kernels of a call: kernel by kernel, then all that won together."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from .kernels import Build, Kernel, Params
from .measure import Meter, Outcome
from .search import Progress, Search
from .variants import CompileError, Variants

_BATCH = 4  # libraries measured in one process
_CANDIDATES = 3  # that are timed again before one is believed


class Clock:
    """What is left of the time, shared out among the kernels."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        return max(0.0, self._end - time.monotonic())


class Tuner:
    def __init__(
        self,
        build: Build,
        variants: Variants,
        meter: Meter,
        journal: Path,
        clock: Clock,
        show: Callable[[str, Progress | None, float], None],
        seconds: float = 0.04,
    ) -> None:
        self._build = build
        self._variants = variants
        self._meter = meter
        self._journal = journal
        self._clock = clock
        self._show = show
        self._seconds = seconds  # of each library and shape in the search; five times that in a confirmation

    def _measure(
        self, kernel: Kernel, points: list[Params], shapes: list[str], seconds: float, check: bool
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        libraries: dict[int, Path] = {}
        for i, params in enumerate(points):
            outcomes.append(Outcome())
            try:
                libraries[i] = self._variants.link({kernel: self._variants.compile(kernel, params)})
            except CompileError as error:
                outcomes[i].differs = str(error)
        if libraries:
            measured = self._meter.measure(sorted(set(libraries.values())), shapes, seconds, check=check)
            for i, library in libraries.items():
                outcomes[i] = measured[library]
        return outcomes

    def tune(self, kernel: Kernel, shapes: list[str], share: float) -> tuple[Params, Outcome] | None:
        """The best schedule of one kernel, if one wins; in `share` of the time that is left."""
        own = [shape for shape in shapes if kernel.works_on(shape)]
        space = self._build.space(kernel)
        if not own or not any(len(values) > 1 for values in space.values()):
            return None
        end = self._clock.left * (1 - share)
        search = Search(kernel.function, space, self._build.current(kernel), self._journal)

        def evaluate(points: list[Params]) -> list[float]:
            return [o.ratio for o in self._measure(kernel, points, own, self._seconds, True)]

        def go_on(progress: Progress) -> bool:
            self._show(kernel.function, progress, self._clock.left)
            return self._clock.left > end

        search.run(evaluate, _BATCH, go_on)
        best = search.best(_CANDIDATES)
        if not best:
            return None
        outcomes = self._measure(kernel, best, own, 5 * self._seconds, False)
        ratio, first = min((outcome.ratio, i) for i, outcome in enumerate(outcomes))
        self._show(kernel.function, Progress(len(best), len(best), ratio, best[first]), self._clock.left)
        return (best[first], outcomes[first]) if outcomes[first].wins else None

    def run(self, kernels: list[Kernel], shapes: list[str]) -> dict[Kernel, tuple[Params, Outcome]]:
        found = {}
        for i, kernel in enumerate(kernels):
            won = self.tune(kernel, shapes, 1 / (len(kernels) - i))
            if won:
                found[kernel] = won
        return found

    def together(self, found: dict[Kernel, tuple[Params, Outcome]], shapes: list[str]) -> Outcome:
        """All that won, in one library, on these shapes."""
        library = self._variants.link({k: self._variants.compile(k, params) for k, (params, _) in found.items()})
        return self._meter.measure([library], shapes, 5 * self._seconds)[library]
