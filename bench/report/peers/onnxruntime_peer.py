"""ONNX Runtime: InstanceNormalization, with LeakyRelu after it where that is asked for, between bound buffers."""

import onnx
import onnx.helper
import onnxruntime

from ..cells import Cell
from ..data import Problem
from . import Prepared


def _model(problem: Problem) -> bytes:
    shape = list(problem.cell.shape)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("InstanceNormalization", ["x", "scale", "shift"], ["y"], epsilon=problem.eps)]
    if problem.cell.slope != 1:
        nodes[0].output[0] = "z"
        nodes.append(helper.make_node("LeakyRelu", ["z"], ["y"], alpha=problem.cell.slope))
    graph = helper.make_graph(
        nodes,
        "norm",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
        [onnx.numpy_helper.from_array(problem.scale, "scale"), onnx.numpy_helper.from_array(problem.shift, "shift")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


class OnnxRuntime:
    """Its CPU execution provider."""

    name = "onnxruntime"
    version = onnxruntime.__version__

    def __init__(self, threads: int):
        """Remembers the threads for the sessions."""
        self.threads = threads

    def refuses(self, cell: Cell) -> str:
        """What the operator and its CPU kernel don't have."""
        if cell.direction == "backward":
            return "no gradient"
        if cell.layout == "nhwc":
            return "channels first only"
        return "" if cell.dtype == "f32" else "float32 only"

    def prepare(self, problem: Problem) -> Prepared:
        """A session of its own, with input and output bound."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(_model(problem), options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        for bind, name, array in (
            (binding.bind_input, "x", problem.x),
            (binding.bind_output, "y", problem.out),
        ):
            bind(name, "cpu", 0, array.dtype.type, list(array.shape), array.ctypes.data)
        return Prepared(lambda: session.run_with_iobinding(binding), lambda: {"y": problem.out})


def load(threads: int) -> OnnxRuntime:
    """ONNX Runtime with so many threads."""
    return OnnxRuntime(threads)
