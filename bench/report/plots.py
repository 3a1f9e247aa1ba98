"""The report's pictures."""

import pathlib

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image

from .cells import REGIMES
from .summary import Report, goal

COLOURS = {  # Okabe and Ito's, which colour-blind readers can tell apart
    "haline": "#D55E00",
    "pytorch": "#CC79A7",
    "onnxruntime": "#0072B2",
    "openvino": "#56B4E9",
    "onednn": "#009E73",
    "ncnn": "#E69F00",
}
GREY = "#555555"
FORMS = {"f32/nchw": ("o", "#D55E00"), "f32/nhwc": ("s", "#0072B2"), "bf16/nchw": ("^", "#009E73")}
FORMS |= {"bf16/nhwc": ("v", "#CC79A7"), "f16/nchw": ("P", "#56B4E9"), "f16/nhwc": ("X", "#E69F00")}


def _save(figure, file: pathlib.Path) -> None:
    figure.tight_layout()
    figure.savefig(file, dpi=100)
    plt.close(figure)
    with PIL.Image.open(file) as drawn:
        few = drawn.convert("RGB").quantize(64)
    few.save(file, optimize=True)  # a quarter of the bytes: pages and repositories keep them


def _regime_shapes(report: Report) -> list[str]:
    return [shape for regime in REGIMES for shape in report.sets[regime.name]]


def _labels(axes, shapes: list[str]) -> None:
    axes.set_xticks(range(len(shapes)), shapes, rotation=40, ha="right", fontsize=8)
    axes.set_xlim(-0.6, len(shapes) - 0.4)
    axes.grid(axis="y", alpha=0.3)


def speed(report: Report, file: pathlib.Path) -> None:
    """Bars: GB/s by shape and peer, forward and backward, float32, channels first, one thread."""
    everyone = {(one.form, one.shape): one for one in report.contests() if one.threads == report.threads[0]}
    panels = [one for one in ("forward", "backward") if any(form == f"{one}/f32/nchw" for form, _ in everyone)]
    if not panels:
        return
    figure, many = plt.subplots(len(panels), 1, figsize=(12, 4.25 * len(panels)), squeeze=False)
    for axes, direction in zip(many[:, 0], panels, strict=True):
        form = f"{direction}/f32/nchw"
        shapes = [shape for shape in _regime_shapes(report) if (form, shape) in everyone]
        found = [everyone[form, shape] for shape in shapes]
        names = [name for name in ("haline", *report.others) if any(one.row(name) for one in found)]
        width = 0.85 / max(1, len(names))
        for i, name in enumerate(names):
            rows = [one.row(name) for one in found]
            places = np.arange(len(shapes)) + (i - (len(names) - 1) / 2) * width
            heights = [row["gb_per_s"] if row else np.nan for row in rows]
            axes.bar(places, heights, width, color=COLOURS.get(name, GREY), label=name)
        copies = [one.copy["gb_per_s"] if one.copy else np.nan for one in found]
        label = "fastest copy" if direction == "forward" else "fastest sum of two tensors"
        axes.hlines(copies, np.arange(len(shapes)) - 0.45, np.arange(len(shapes)) + 0.45, color="black", label=label)
        axes.set_yscale("log")
        axes.set_ylabel("GB/s")
        axes.set_title(f"{direction}, float32, channels first, {_threads(report.threads[0])}", fontsize=10)
        axes.legend(fontsize=8, ncols=7, loc="upper left")
        axes.set_ylim(top=axes.get_ylim()[1] * 3)
        _labels(axes, shapes)
    _save(figure, file)


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def fractions(report: Report, file: pathlib.Path) -> None:
    """Dots: haline's fraction of the fastest copy by shape and form; lines: the goals."""
    shapes = _regime_shapes(report)
    place = {shape: i for i, shape in enumerate(shapes)}
    contests = [one for one in report.contests() if one.shape in place and one.of_copy]
    wanted = [("forward", threads) for threads in report.threads] + [("backward", report.threads[0])]
    panels = [
        (direction, threads)
        for direction, threads in wanted
        if any(one.form.startswith(f"{direction}/") and one.threads == threads for one in contests)
    ]
    if not panels:
        return
    figure, many = plt.subplots(len(panels), 1, figsize=(12, 3.6 * len(panels)), squeeze=False)
    for axes, (direction, threads) in zip(many[:, 0], panels, strict=True):
        for form, (marker, colour) in FORMS.items():
            found = [one for one in contests if one.form == f"{direction}/{form}" and one.threads == threads]
            if found:
                x, y = [place[one.shape] for one in found], [one.of_copy for one in found]
                axes.plot(x, y, marker, color=colour, label=form.replace("/", " "), alpha=0.85)
        start = 0
        for regime in REGIMES:
            end, fraction = start + len(report.sets[regime.name]), goal(regime, direction, threads)
            if fraction:
                axes.hlines(fraction, start - 0.45, end - 0.55, color="black", linestyle="--", linewidth=1)
            if start:
                axes.axvline(start - 0.5, color=GREY, linewidth=0.5)
            axes.text(start - 0.4, 1.02, regime.what, fontsize=8, color=GREY, transform=axes.get_xaxis_transform())
            start = end
        axes.set_ylabel("of the fastest copy" if direction == "forward" else "of the fastest sum")
        axes.set_ylim(0, max(1.05, axes.get_ylim()[1]))
        axes.set_title(f"{direction}, {_threads(threads)}; dashed: the goal", fontsize=10, pad=18)
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
        _labels(axes, shapes)
    _save(figure, file)


def roofline(report: Report, file: pathlib.Path) -> None:
    """Dots: haline's GB/s over those of the fastest copy of the same bytes, which is the roof; lines: parts of it."""
    shapes = _regime_shapes(report)
    contests = [one for one in report.contests() if one.shape in shapes and one.copy and one.of_copy]
    panels = [one for one in ("forward", "backward") if any(each.form.startswith(f"{one}/") for each in contests)]
    if not panels:
        return
    figure, many = plt.subplots(1, len(panels), figsize=(6 * len(panels), 5), squeeze=False)
    for axes, direction in zip(many[0], panels, strict=True):
        for form, (marker, colour) in FORMS.items():
            found = [one for one in contests if one.form == f"{direction}/{form}"]
            roof = [one.copy["gb_per_s"] for one in found]
            reached = [one.copy["gb_per_s"] * one.of_copy for one in found]
            axes.plot(roof, reached, marker, color=colour, label=form.replace("/", " "), alpha=0.7, markersize=5)
        low, high = axes.get_xlim()
        parts = (
            {1: "the roof", 2 / 3: "2/3: read twice", 1 / 10: "1/10"}
            if direction == "forward"
            else {1: "the roof", 3 / 5: "3/5: read twice", 1 / 10: "1/10"}
        )
        for (part, label), style in zip(parts.items(), ("-", "--", ":"), strict=True):
            axes.plot([low, high], [part * low, part * high], style, color="black", linewidth=1, label=label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("GB/s, the fastest copy" if direction == "forward" else "GB/s, the fastest sum of two tensors")
        axes.set_ylabel("GB/s, haline")
        axes.set_title(f"{direction}, all regimes and threads", fontsize=10)
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=5)
    _save(figure, file)


def curve(report: Report, file: pathlib.Path) -> None:
    """Lines: GB/s over the size of a plane."""
    figure, axes = plt.subplots(figsize=(12, 4.2))
    for total, colour in zip(
        dict.fromkeys(point["total"] for point in report.curve), ("#0072B2", "#D55E00"), strict=False
    ):
        points = [point for point in report.curve if point["total"] == total]
        x = [point["size"] for point in points]
        axes.plot(x, [point["gb_per_s"] for point in points], color=colour, linewidth=1, label=f"haline, {total}")
        axes.plot(
            x, [point["copy"] for point in points], color=colour, linewidth=0.5, alpha=0.5, label=f"copy, {total}"
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("elements of a plane")
    axes.set_ylabel("GB/s")
    axes.set_title("forward, float32, channels first, 1 thread", fontsize=10)
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8)
    _save(figure, file)


def errors(report: Report, file: pathlib.Path) -> None:
    """Dots: everyone's error by input; those below 1e-9 are drawn there, those without a number at the top."""
    least, most = 1e-9, 30.0
    figure, axes = plt.subplots(figsize=(12, 4.6))
    inputs = [row["input"] for row in report.accuracy]
    names = ["haline", *report.others]
    for i, name in enumerate(names):
        x, y = [], []
        for place, row in enumerate(report.accuracy):
            value = row["errors"].get(name)
            if value is not None:
                x.append(place + (i - (len(names) - 1) / 2) * 0.12)
                y.append(most if isinstance(value, str) else min(most, max(least, value)))
        axes.plot(x, y, "o", color=COLOURS.get(name, GREY), label=name)
    axes.axhline(1e-6, color="black", linestyle="--", linewidth=1, label="haline's promise")
    axes.set_yscale("log")
    axes.set_ylim(least / 2, most * 3)
    axes.set_ylabel("error / max(1, |y|)")
    axes.set_title("the largest error, forward, float32 (at 1e-9: that or less)", fontsize=10)
    axes.legend(fontsize=8, ncols=7, loc="upper left")
    _labels(axes, inputs)
    _save(figure, file)


def draw(report: Report, folder: pathlib.Path) -> None:
    """Every picture that there is something for."""
    speed(report, folder / "speed.png")
    fractions(report, folder / "fractions.png")
    roofline(report, folder / "roofline.png")
    if report.curve:
        curve(report, folder / "curve.png")
    if report.accuracy:
        errors(report, folder / "errors.png")
