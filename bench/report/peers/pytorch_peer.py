"""PyTorch: torch.nn.functional.instance_norm, and its gradient by autograd. It allocates its results."""

import numpy as np
import torch

from ..cells import Cell
from ..data import NUMPY, Problem
from . import Prepared, Results

TORCH = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def _to_torch(array: np.ndarray, dtype: str) -> torch.Tensor:
    """The same memory."""
    return torch.from_numpy(array.view(np.int16)).view(TORCH[dtype]) if dtype != "f32" else torch.from_numpy(array)


def _to_numpy(tensor: torch.Tensor, dtype: str) -> np.ndarray:
    tensor = tensor.detach()
    return tensor.view(torch.int16).numpy().view(NUMPY[dtype]) if dtype != "f32" else tensor.numpy()


class PyTorch:
    """On the processor, with scale and shift of the tensor's type."""

    name = "pytorch"

    def __init__(self, threads: int):
        """Sets PyTorch's threads."""
        torch.set_num_threads(threads)
        self.version = torch.__version__

    def refuses(self, cell: Cell) -> str:
        """Planes of one element, which it takes for a mistake."""
        return "refuses planes of one element" if cell.plane == 1 else ""

    def prepare(self, problem: Problem) -> Prepared:
        """Channels-last tensors are what it calls so, [N, C, *] with the strides of [N, *, C]."""
        dtype = problem.cell.dtype
        x = _to_torch(problem.x, dtype)
        scale, shift = (torch.from_numpy(array).to(TORCH[dtype]) for array in (problem.scale, problem.shift))
        if problem.cell.layout == "nhwc":
            x = x.movedim(-1, 1)

        def forward() -> torch.Tensor:
            y = torch.nn.functional.instance_norm(x, weight=scale, bias=shift, eps=problem.eps)
            if problem.cell.slope != 1:
                y = torch.nn.functional.leaky_relu(y, problem.cell.slope, inplace=True)
            return y

        results: Results = {}
        if problem.dy is None:

            def call() -> None:
                with torch.no_grad():
                    results["y"] = forward()

            return Prepared(call, lambda: {"y": _to_numpy(results["y"], dtype)})

        inputs = [tensor.requires_grad_() for tensor in (x, scale, shift)]
        dy = _to_torch(problem.dy, dtype)
        dy = dy.movedim(-1, 1) if problem.cell.layout == "nhwc" else dy
        y = forward()

        def call_backward() -> None:
            results["gradients"] = torch.autograd.grad(y, inputs, dy, retain_graph=True)

        return Prepared(
            call_backward,
            lambda: {
                name: _to_numpy(gradient, dtype)
                for name, gradient in zip(("dx", "dscale", "dshift"), results["gradients"], strict=True)
            },
        )


def load(threads: int) -> PyTorch:
    """PyTorch with so many threads."""
    return PyTorch(threads)
