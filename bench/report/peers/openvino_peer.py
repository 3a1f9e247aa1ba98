"""OpenVINO: MVN, Multiply, Add, and PRelu where that is asked for, compiled for the CPU, between shared buffers."""

import numpy as np
import openvino
from openvino import opset13 as ops
from openvino.preprocess import PrePostProcessor

from ..cells import Cell
from ..data import Problem
from . import Prepared

TYPES = {"f32": openvino.Type.f32, "bf16": openvino.Type.bf16, "f16": openvino.Type.f16}
LAYOUTS = {3: ("NCW", "NWC"), 4: ("NCHW", "NHWC"), 5: ("NCDHW", "NDHWC")}


def _model(problem: Problem) -> openvino.Model:
    """Channels last: the model is [N, C, *] and is told that its input and output are not."""
    cell, kind = problem.cell, TYPES[problem.cell.dtype]
    rank = len(cell.shape)
    spread = (1, cell.shape[1], *[1] * (rank - 2))

    def constant(values: np.ndarray) -> openvino.Node:
        return ops.constant(values.reshape(spread), kind)

    x = ops.parameter(list(cell.shape), kind, name="x")
    y = ops.mvn(x, np.arange(2, rank), True, problem.eps, "inside_sqrt")
    y = ops.add(ops.multiply(y, constant(problem.scale)), constant(problem.shift))
    if cell.slope != 1:
        y = ops.prelu(y, ops.constant(np.float32([cell.slope]), kind))
    model = openvino.Model([y], [x], "norm")
    if cell.layout == "nhwc":
        first, last = LAYOUTS[rank]
        steps = PrePostProcessor(model)
        steps.input().tensor().set_layout(openvino.Layout(last))
        steps.input().model().set_layout(openvino.Layout(first))
        steps.output().tensor().set_layout(openvino.Layout(last))
        steps.output().model().set_layout(openvino.Layout(first))
        model = steps.build()
    return model


def _tensor(array: np.ndarray, dtype: str) -> openvino.Tensor:
    """The same memory."""
    if dtype == "bf16":  # NumPy has no such type
        return openvino.Tensor(array.view(np.uint16), list(array.shape), TYPES[dtype])
    return openvino.Tensor(array, shared_memory=True)


class OpenVino:
    """Its CPU plug-in."""

    name = "openvino"
    version = openvino.__version__.split("-")[0]

    def __init__(self, threads: int):
        """Remembers the threads for the models."""
        self.core = openvino.Core()
        self.threads = threads

    def refuses(self, cell: Cell) -> str:
        """It has no gradients."""
        return "no gradient" if cell.direction == "backward" else ""

    def prepare(self, problem: Problem) -> Prepared:
        """A compiled model with input and output set, in the precision of the tensors."""
        properties = {
            "INFERENCE_PRECISION_HINT": problem.cell.dtype,
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY",
        }
        request = self.core.compile_model(_model(problem), "CPU", properties).create_infer_request()
        request.set_input_tensor(_tensor(problem.x, problem.cell.dtype))
        request.set_output_tensor(_tensor(problem.out, problem.cell.dtype))
        return Prepared(request.infer, lambda: {"y": problem.planes_first(problem.out)})


def load(threads: int) -> OpenVino:
    """OpenVINO with so many threads."""
    return OpenVino(threads)
