"""ncnn: a network of one InstanceNorm layer, which can do a leaky ReLU of its own only as a layer after it."""

import tempfile

import ncnn
import numpy as np

from ..cells import Cell
from ..data import Problem
from . import Prepared, Results


def _network(problem: Problem, threads: int) -> ncnn.Net:
    channels = problem.cell.shape[1]
    layers = [f"InstanceNorm norm 1 1 x y 0={channels} 1={problem.eps} 2=1"]
    if problem.cell.slope != 1:
        layers = [layers[0].replace("x y", "x z"), f"ReLU relu 1 1 z y 0={problem.cell.slope}"]
    lines = ["7767517", f"{len(layers) + 1} {len(layers) + 1}", "Input x 0 1 x", *layers]
    network = ncnn.Net()
    network.opt.num_threads = threads
    network.opt.use_vulkan_compute = False
    network.load_param_mem("\n".join(lines) + "\n")
    with tempfile.NamedTemporaryFile() as weights:
        weights.write(np.concatenate([problem.scale, problem.shift]).tobytes())
        weights.flush()
        network.load_model(weights.name)
    return network


class Ncnn:
    """On the processor, float32."""

    name = "ncnn"
    version = ncnn.__version__

    def __init__(self, threads: int):
        """Remembers the threads for the networks."""
        self.threads = threads

    def refuses(self, cell: Cell) -> str:
        """What it does not have."""
        if cell.direction == "backward":
            return "no gradient"
        if cell.shape[0] != 1:
            return "one sample only"
        if cell.layout == "nhwc":
            return "channels first only"
        return "" if cell.dtype == "f32" else "float32 only"

    def prepare(self, problem: Problem) -> Prepared:
        """A network, and the input in ncnn's own matrix. It allocates its result."""
        network = _network(problem, self.threads)
        sample = problem.x[0]
        matrix = ncnn.Mat(sample[:, None] if sample.ndim == 2 else sample).clone()
        results: Results = {}

        def call() -> None:
            extractor = network.create_extractor()
            extractor.input("x", matrix)
            results["y"] = extractor.extract("y")[1]

        return Prepared(call, lambda: {"y": np.array(results["y"]).reshape(problem.cell.shape)})


def load(threads: int) -> Ncnn:
    """Ncnn with so many threads."""
    return Ncnn(threads)
