"""haline on an NVIDIA GPU beside a device-to-device copy, PyTorch (eager and compiled), cuDNN and a Triton kernel.

Run by scripts/bench-gpu.sh. Every result is held against float64 before it is timed; fractions are of the copy of the
same bytes (for the backward pass, of what it reads and writes: two tensors and one) in the same run.
"""

import argparse
import ctypes
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as functional

from report import c_interface
from report.c_interface import BFLOAT, CPU, CUDA, FLOAT, Options

SHAPES = {
    "tiny": [(1024, 512, 2, 2), (1024, 512, 4, 4), (1024, 256, 8, 8)],
    "medium": [(512, 512, 16, 16), (128, 512, 32, 32), (64, 256, 64, 64), (32, 128, 128, 128)],
    "large": [(16, 64, 256, 256), (1, 32, 1080, 1920), (2, 32, 128, 128, 128), (1, 3, 4096, 4096)],
}
TARGETS = {("forward", "tiny"): 0.5, ("backward", "tiny"): 0.5, ("forward", ""): 0.85, ("backward", ""): 0.8}
PEERS = ["haline", "eager", "compiled", "cudnn", "triton"]
EPS = 1e-5


def tensor(t):
    """haline_tensor over a torch tensor's memory, which it keeps."""
    dtype = (BFLOAT if t.dtype == torch.bfloat16 else FLOAT, 8 * t.element_size())
    device = (CUDA, t.device.index or 0) if t.is_cuda else (CPU, 0)
    return c_interface.tensor(t.data_ptr(), device, dtype, t.shape, t.stride(), t)


class Haline:
    """The library's two passes on torch tensors, on PyTorch's current stream; the host's by a back end of a name."""

    def __init__(self, path, backend):
        self.library = ctypes.CDLL(path)
        self.library.haline_error_message.restype = ctypes.c_char_p
        self.library.haline_last_target.restype = ctypes.c_char_p
        self.backend = backend and backend.encode()

    def options(self, x, **tensors):
        queue = torch.cuda.current_stream().cuda_stream if x.is_cuda else None
        options = Options(size=ctypes.sizeof(Options), eps=EPS, negative_slope=0.01, momentum=0.1, queue=queue)
        options.backend = self.backend
        for name, t in tensors.items():
            setattr(options, name, ctypes.pointer(tensor(t)))
        return options

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.haline_error_message().decode())

    def forward(self, x, scale, shift, y, mean, rstd):
        """A function that does it once more."""
        args = [tensor(t) for t in (x, scale, shift, y)]
        options = self.options(x, mean=mean, rstd=rstd)
        call = self.library.haline_instance_norm
        pointers = [ctypes.byref(a) for a in (*args, options)]
        return lambda: self.check(call(*pointers))

    def backward(self, x, dy, scale, shift, mean, rstd, dx, dscale, dshift):
        """Likewise."""
        args = [tensor(t) for t in (x, dy, scale, shift, mean, rstd, dx, dscale, dshift)]
        options = self.options(x)
        call = self.library.haline_instance_norm_backward
        pointers = [ctypes.byref(a) for a in (*args, options)]
        return lambda: self.check(call(*pointers))


class LeftOutError(Exception):
    """Why a peer is not measured."""


def triton_forward(x, scale, shift):
    """A kernel as those for layer norms are: a program for each plane, which it keeps."""
    try:
        import triton
        import triton.language as tl
    except ImportError:
        raise LeftOutError("not installed") from None
    size = x[0, 0].numel()
    if not x.is_cuda:
        raise LeftOutError("needs a GPU")
    if size > 65536:
        raise LeftOutError("planes of more than 65536 elements")

    @triton.jit
    def kernel(x_at, scale_at, shift_at, y_at, channels, size, eps, block: tl.constexpr):
        plane = tl.program_id(0)
        s = tl.arange(0, block)
        x = tl.load(x_at + plane * size + s, mask=s < size, other=0.0)
        mean = tl.sum(x, axis=0) / size
        d = tl.where(s < size, x - mean, 0.0)
        rstd = 1 / tl.sqrt(tl.sum(d * d, axis=0) / size + eps)
        scale = tl.load(scale_at + plane % channels)
        shift = tl.load(shift_at + plane % channels)
        tl.store(y_at + plane * size + s, d * rstd * scale + shift, mask=s < size)

    y = torch.empty_like(x)
    block = triton.next_power_of_2(size)
    warps = min(16, max(1, block // 256))

    def run():
        kernel[(x.shape[0] * x.shape[1],)](x, scale, shift, y, x.shape[1], size, EPS, block, num_warps=warps)
        return y

    return run


def cudnn_forward(x, scale, shift):
    """Batch norm of [1, N * C, *], as cuDNN has no instance norm."""
    batch = x.shape[0]
    flat = x.view(1, batch * x.shape[1], *x.shape[2:])
    scales, shifts = scale.repeat(batch), shift.repeat(batch)
    return lambda: functional.batch_norm(flat, None, None, scales, shifts, True, 0.1, EPS).view(x.shape)


def seconds(run, cuda, budget):
    """The median of several repetitions, after two that are not counted."""
    run(), run()
    times, end = [], time.monotonic() + budget
    while len(times) < 5 or (time.monotonic() < end and len(times) < 50):
        if cuda:
            start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
            start.record()
            run()
            stop.record()
            stop.synchronize()
            times.append(start.elapsed_time(stop) / 1e3)
        else:
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def wrong(found, exact):
    """What is wrong with a result, by haline's measure."""
    error = ((found.double() - exact).abs() / exact.abs().clamp(min=1)).max().item()
    return None if error <= 1e-5 else f"error {error:.1e}"


def result(make, exact, base, cuda, budget):
    """A peer's entry: its time and what fraction of the copy's speed that is, or what is wrong with it."""
    try:
        run = make()
        problem = wrong(run()[:1].detach(), exact)
        if problem:
            return {"wrong": problem}
        taken = seconds(run, cuda, budget)
    except LeftOutError as why:
        return {"left_out": str(why)}
    except Exception as error:  # a peer's own: a compiler that is missing, memory
        return {"failed": f"{type(error).__name__}: {error}".split("\n")[0][:200]}
    return {"seconds": taken, "fraction": base / taken}


def measure(haline, regime, shape, device, budget):
    """One shape: a record for each pass."""
    cuda = device == "cuda"
    x, dy = torch.randn(shape, device=device), torch.randn(shape, device=device)
    scale, shift = torch.rand(shape[1], device=device) + 0.5, torch.randn(shape[1], device=device)
    y, dx, mean, rstd = torch.empty_like(x), torch.empty_like(x), *torch.empty((2, *shape[:2]), device=device)
    dscale, dshift = torch.empty_like(scale), torch.empty_like(shift)
    eager = lambda x, a, b: functional.instance_norm(x, weight=a, bias=b, eps=EPS)  # noqa: E731

    def compiled():
        if not cuda:
            raise LeftOutError("needs a GPU")
        return torch.compile(eager)

    wide = x[:1].double().requires_grad_()
    exact_y = eager(wide, scale.double(), shift.double())
    (exact_dx,) = torch.autograd.grad(exact_y, wide, dy[:1].double())
    exact_y = exact_y.detach()
    leaves = [t.detach().clone().requires_grad_() for t in (x, scale, shift)]

    def of(f, *args):
        return lambda: f(*args)

    def of_haline(run, written):
        return lambda: (run(), written)[1]

    def graph(f):
        out = f(*leaves)
        return lambda: torch.autograd.grad(out, leaves, dy, retain_graph=True)[0]

    forward = {
        "haline": lambda: of_haline(haline.forward(x, scale, shift, y, mean, rstd), y),
        "eager": lambda: of(eager, x, scale, shift),
        "compiled": lambda: of(compiled(), x, scale, shift),
        "cudnn": lambda: cudnn_forward(x, scale, shift),
        "triton": lambda: triton_forward(x, scale, shift),
    }
    backward = {
        "haline": lambda: of_haline(haline.backward(x, dy, scale, shift, mean, rstd, dx, dscale, dshift), dx),
        "eager": lambda: graph(eager),
        "compiled": lambda: graph(compiled()),
    }
    scratch = torch.empty_like(x)
    copy = seconds(lambda: scratch.copy_(x), cuda, budget)
    stream = seconds(lambda: torch.add(x, dy, out=scratch), cuda, budget)
    records = []
    for name, peers, base, exact in (("forward", forward, copy, exact_y), ("backward", backward, stream, exact_dx)):
        results = {peer: result(make, exact, base, cuda, budget) for peer, make in peers.items()}
        records.append({"regime": regime, "shape": list(shape), "pass": name, "copy_seconds": base, "results": results})
    return records


def row(record):
    """A line of the table, and what it has to say of peers without a number."""
    name = "x".join(map(str, record["shape"]))
    cells, notes = [], []
    for peer in PEERS:
        entry = record["results"].get(peer, {})
        cells.append(f"{entry['fraction']:9.3f}" if "fraction" in entry else f"{next(iter(entry), '-'):>9}")
        for kind in ("wrong", "failed", "left_out"):
            if kind in entry:
                notes.append(f"{peer} {kind.replace('_', ' ')}: {entry[kind]}")
    target = TARGETS.get((record["pass"], record["regime"]), TARGETS[record["pass"], ""])
    return f"{name:>20} {record['pass']:>9} {record['copy_seconds']:9.2e} {' '.join(cells)}  {target}", notes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True, help="libhaline.so")
    parser.add_argument("--out", default="gpu.json", help="the file to write [gpu.json]")
    parser.add_argument("--minutes", type=float, default=6, help="after these, shapes are left out [6]")
    parser.add_argument("--dry-run", action="store_true", help="on the processor, small: does all of it work?")
    parser.add_argument("--backend", help="of haline's in a dry run: opencl, ... [the best for the processor]")
    options = parser.parse_args()
    if options.backend and not options.dry_run:
        parser.error("--backend: goes with --dry-run; tensors of a GPU have their own")
    if not options.dry_run and not torch.cuda.is_available():
        sys.exit("bench-gpu: no NVIDIA GPU that PyTorch can use was found; --dry-run does without")
    device = "cpu" if options.dry_run else "cuda"
    haline, records, notes = Haline(options.library, options.backend), [], []
    end = time.monotonic() + 60 * options.minutes
    print(f"{'shape':>20} {'pass':>9} {'copy':>9} {' '.join(f'{p:>9}' for p in PEERS)}  fractions of the copy; target")
    for regime, shapes in SHAPES.items():
        for shape in shapes:
            if options.dry_run:
                shape = (2, 3, *(min(extent, 16) for extent in shape[2:]))
            if time.monotonic() > end:
                notes.append(f"{'x'.join(map(str, shape))} left out: {options.minutes:g} minutes are over")
                continue
            for record in measure(haline, regime, shape, device, 0.02 if options.dry_run else 0.4):
                records.append(record)
                line, said = row(record)
                print(line, flush=True)
                notes += [note for note in said if note not in notes]
    print("\n".join(notes))
    where = torch.cuda.get_device_name() if device == "cuda" else "dry run on the processor"
    target = haline.library.haline_last_target().decode()
    root = {"device": where, "torch": torch.__version__, "haline": target, "notes": notes, "records": records}
    with open(options.out, "w") as file:
        json.dump(root, file, indent=1)
    print(f"{where}, {target}; {options.out} has it all")
    if any("wrong" in r["results"]["haline"] or "failed" in r["results"]["haline"] for r in records):
        sys.exit("bench-gpu: haline is wrong, or failed")


if __name__ == "__main__":
    main()
