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

SHAPES = {
    "tiny": [(1024, 512, 2, 2), (1024, 512, 4, 4), (1024, 256, 8, 8)],
    "medium": [(512, 512, 16, 16), (128, 512, 32, 32), (64, 256, 64, 64), (32, 128, 128, 128)],
    "large": [(16, 64, 256, 256), (1, 32, 1080, 1920), (2, 32, 128, 128, 128), (1, 3, 4096, 4096)],
}
TARGETS = {("forward", "tiny"): 0.5, ("backward", "tiny"): 0.5, ("forward", ""): 0.85, ("backward", ""): 0.8}
EPS = 1e-5


class Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class Dtype(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class Tensor(ctypes.Structure):
    """haline_tensor over a torch tensor's memory, which it keeps."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", Device),
        ("ndim", ctypes.c_int32),
        ("dtype", Dtype),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]

    def __init__(self, t):
        shape = (ctypes.c_int64 * t.ndim)(*t.shape)
        strides = (ctypes.c_int64 * t.ndim)(*t.stride())
        code = 4 if t.dtype == torch.bfloat16 else 2
        device = Device(2, t.device.index or 0) if t.is_cuda else Device(1, 0)
        super().__init__(t.data_ptr(), device, t.ndim, Dtype(code, 8 * t.element_size(), 1), shape, strides, 0)
        self.keep = (t, shape, strides)


class Options(ctypes.Structure):
    """haline_options."""

    _fields_ = [
        ("size", ctypes.c_size_t),
        ("eps", ctypes.c_double),
        ("backend", ctypes.c_char_p),
        ("activation", ctypes.c_int),
        ("negative_slope", ctypes.c_double),
        *((name, ctypes.POINTER(Tensor)) for name in ("residual", "lengths", "mean", "rstd")),
        *((name, ctypes.POINTER(Tensor)) for name in ("given_mean", "given_rstd", "given_variance")),
        *((name, ctypes.POINTER(Tensor)) for name in ("running_mean", "running_variance")),
        ("momentum", ctypes.c_double),
        ("dresidual", ctypes.POINTER(Tensor)),
        ("frozen", ctypes.c_int32),
        ("queue", ctypes.c_void_p),
    ]


class Haline:
    """The library's two passes on torch tensors, on PyTorch's current stream."""

    def __init__(self, path):
        self.library = ctypes.CDLL(path)
        self.library.haline_error_message.restype = ctypes.c_char_p

    def options(self, x, **tensors):
        queue = torch.cuda.current_stream().cuda_stream if x.is_cuda else None
        options = Options(size=ctypes.sizeof(Options), eps=EPS, negative_slope=0.01, momentum=0.1, queue=queue)
        for name, t in tensors.items():
            setattr(options, name, ctypes.pointer(Tensor(t)))
        return options

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.library.haline_error_message().decode())

    def forward(self, x, scale, shift, y, mean, rstd):
        """A function that does it once more."""
        args = [Tensor(t) for t in (x, scale, shift, y)]
        options = self.options(x, mean=mean, rstd=rstd)
        call = self.library.haline_instance_norm
        pointers = [ctypes.byref(a) for a in (*args, options)]
        return lambda: self.check(call(*pointers))

    def backward(self, x, dy, scale, shift, mean, rstd, dx, dscale, dshift):
        """Likewise."""
        args = [Tensor(t) for t in (x, dy, scale, shift, mean, rstd, dx, dscale, dshift)]
        options = self.options(x)
        call = self.library.haline_instance_norm_backward
        pointers = [ctypes.byref(a) for a in (*args, options)]
        return lambda: self.check(call(*pointers))


def triton_forward(x, scale, shift):
    """A kernel as those for layer norms are: a program for each plane, which it keeps; None where it does not fit."""
    try:
        import triton
        import triton.language as tl
    except ImportError:
        return None
    size = x[0, 0].numel()
    if not x.is_cuda or size > 65536:
        return None

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


def measure(haline, regime, shape, device, budget):
    """One shape: a record for each pass."""
    cuda = device == "cuda"
    x, dy = torch.randn(shape, device=device), torch.randn(shape, device=device)
    scale, shift = torch.rand(shape[1], device=device) + 0.5, torch.randn(shape[1], device=device)
    y, dx, mean, rstd = torch.empty_like(x), torch.empty_like(x), *torch.empty((2, *shape[:2]), device=device)
    dscale, dshift = torch.empty_like(scale), torch.empty_like(shift)
    eager = lambda x, a, b: functional.instance_norm(x, weight=a, bias=b, eps=EPS)  # noqa: E731
    compiled = torch.compile(eager) if cuda else eager

    wide = x[:1].double().requires_grad_()
    exact_y = eager(wide, scale.double(), shift.double())
    (exact_dx,) = torch.autograd.grad(exact_y, wide, dy[:1].double())
    exact_y = exact_y.detach()

    run_haline = haline.forward(x, scale, shift, y, mean, rstd)
    forward = {
        "haline": lambda: (run_haline(), y)[1],
        "eager": lambda: eager(x, scale, shift),
        "compiled": lambda: compiled(x, scale, shift),
        "cudnn": cudnn_forward(x, scale, shift),
        "triton": triton_forward(x, scale, shift),
    }
    leaves = [t.detach().clone().requires_grad_() for t in (x, scale, shift)]

    def graph(f):
        out = f(*leaves)
        return lambda: torch.autograd.grad(out, leaves, dy, retain_graph=True)[0]

    run_haline_backward = haline.backward(x, dy, scale, shift, mean, rstd, dx, dscale, dshift)
    backward = {
        "haline": lambda: (run_haline_backward(), dx)[1],
        "eager": graph(eager),
        "compiled": graph(compiled),
    }
    scratch = torch.empty_like(x)
    copy = seconds(lambda: scratch.copy_(x), cuda, budget)
    stream = seconds(lambda: torch.add(x, dy, out=scratch), cuda, budget)
    records = []
    for name, runs, base, exact in (("forward", forward, copy, exact_y), ("backward", backward, stream, exact_dx)):
        record = {"regime": regime, "shape": list(shape), "pass": name, "copy_seconds": base, "results": {}}
        for peer, run in runs.items():
            if run is None:
                continue
            problem = wrong(run()[:1].detach(), exact)
            entry = {"wrong": problem} if problem else {"seconds": seconds(run, cuda, budget)}
            if not problem:
                entry["fraction"] = base / entry["seconds"]
            record["results"][peer] = entry
        records.append(record)
    return records


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True, help="libhaline.so")
    parser.add_argument("--out", default="gpu.json")
    parser.add_argument("--dry-run", action="store_true", help="on the processor, small: does all of it work?")
    options = parser.parse_args()
    if not options.dry_run and not torch.cuda.is_available():
        sys.exit("bench-gpu: no NVIDIA GPU that PyTorch can use was found; --dry-run does without")
    device = "cpu" if options.dry_run else "cuda"
    haline, records = Haline(options.library), []
    peers = ["haline", "eager", "compiled", "cudnn", "triton"]
    print(
        f"{'shape':>20} {'pass':>9} {'copy':>9} "
        + " ".join(f"{p:>9}" for p in peers)
        + "  fractions of the copy; target"
    )
    for regime, shapes in SHAPES.items():
        for shape in shapes:
            if options.dry_run:
                shape = (2, 3, *(min(extent, 16) for extent in shape[2:]))
            for record in measure(haline, regime, shape, device, 0.02 if options.dry_run else 0.4):
                records.append(record)
                cells = [record["results"].get(p, {}) for p in peers]
                texts = [f"{c['fraction']:9.3f}" if "fraction" in c else f"{c.get('wrong', '-')[:9]:>9}" for c in cells]
                target = TARGETS.get((record["pass"], regime), TARGETS[record["pass"], ""])
                name = "x".join(map(str, shape))
                print(f"{name:>20} {record['pass']:>9} {record['copy_seconds']:9.2e} {' '.join(texts)}  {target}")
    where = torch.cuda.get_device_name() if device == "cuda" else "dry run on the processor"
    with open(options.out, "w") as file:
        json.dump({"device": where, "torch": torch.__version__, "records": records}, file, indent=1)


if __name__ == "__main__":
    main()
