"""haline, through its Python package."""

import haline
import haline._haline

from ..cells import Cell
from ..data import Problem
from . import Prepared, Results


class Haline:
    """The back end that haline chooses."""

    name = "haline"

    def __init__(self, threads: int):
        """Sets haline's threads."""
        haline.set_num_threads(threads)
        self.version = haline.__version__

    def refuses(self, cell: Cell) -> str:
        """Nothing."""
        return ""

    def prepare(self, problem: Problem) -> Prepared:
        """Forward into `out`, or backward with the statistics of the forward pass."""
        axis = 1 if problem.cell.layout == "nchw" else -1
        x, dy, scale, shift, out = problem.x, problem.dy, problem.scale, problem.shift, problem.out
        form = {"eps": problem.eps, "channel_axis": axis}
        if problem.cell.slope != 1:
            form |= {"activation": "leaky_relu", "negative_slope": problem.cell.slope}
        _, mean, rstd = haline.instance_norm(x, scale, shift, out=out, return_stats=True, **form)
        target = haline._haline.last_target()
        if dy is None:
            return Prepared(
                lambda: haline.instance_norm(x, scale, shift, out=out, **form),
                lambda: {"y": problem.planes_first(out)},
                target,
            )
        gradients: Results = {}

        def call() -> None:
            results = haline.instance_norm_backward(x, dy, scale, shift, mean=mean, rstd=rstd, out=out, **form)
            gradients["dx"], gradients["dscale"], gradients["dshift"] = results

        return Prepared(call, lambda: gradients | {"dx": problem.planes_first(out)}, target)


def load(threads: int) -> Haline:
    """Haline itself."""
    return Haline(threads)
