"""What "Instance Normalization: The Missing Ingredient for Fast Stylization" is about, in one picture.

Writes versions of a photograph that differ in contrast, brightness and colour cast, normalises each with the haline
command line, and draws them side by side: the versions above, what comes out below.

SPDX-License-Identifier: MIT
"""

import argparse
import pathlib
import subprocess

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

# name: contrast about mid-grey and brightness added; where there are three, red, green and blue. None of them clips,
# so each is undone by the mean and the standard deviation of a channel.
VERSIONS = {
    "as it is": (1.0, 0.0),
    "low contrast": (0.3, 0.0),
    "dark": (0.4, -0.3),
    "bright": (0.4, 0.3),
    "colour cast": ((0.6, 0.5, 0.35), (0.2, -0.05, -0.32)),
}
TILE, GAP, MARGIN = 240, 12, 24
INK, GREY, PAPER = (20, 20, 20), (95, 95, 95), (255, 255, 255)


def load(path):
    """The picture as [H, W, 3] in 0 .. 1."""
    if path is None:
        import skimage.data

        picture = Image.fromarray(skimage.data.astronaut())
    else:
        picture = ImageOps.exif_transpose(Image.open(path))
    return np.asarray(picture.convert("RGB"), np.float64) / 255


def statistics(pixels):
    """Mean and standard deviation of red, green and blue, in 8-bit levels."""
    planes = pixels.reshape(-1, 3)
    return {"mean": planes.mean(0), "sd": planes.std(0)}


def describe(pixels):
    rows = statistics(pixels).items()
    return "   ".join(f"{name} " + " ".join(f"{value:5.1f}" for value in values) for name, values in rows)


def tile(pixels):
    return ImageOps.fit(Image.fromarray(pixels), (TILE, TILE), Image.Resampling.LANCZOS)


def table(pen, x, y, rows, form):
    """A row of a name and one or three values under each other; returns where the next row would be."""
    font = ImageFont.load_default(14)
    for name, values in rows.items():
        pen.text((x, y), name, GREY, font)
        for k, value in enumerate(np.atleast_1d(values)):
            pen.text((x + 128 + 52 * k, y), form.format(value), GREY, font, anchor="ra")
        y += 17
    return y


def draw(inputs, outputs, note):
    """One row of inputs with captions, one of outputs, and a note below."""
    title, text = (ImageFont.load_default(size) for size in (26, 16))
    columns = len(VERSIONS)
    width = 2 * MARGIN + columns * TILE + (columns - 1) * GAP
    top, middle, bottom = 190, 190 + TILE + 40, 190 + 2 * TILE + 40
    sheet = Image.new("RGB", (width, bottom + 90), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 14), "Instance normalization takes contrast, brightness and colour cast away", INK, title)
    pen.text(
        (MARGIN, 50),
        "y = (x - mean) / sqrt(var + eps) in each channel of each picture, shown as 0.25 y + 0.5. "
        "Three numbers: red, green and blue; mean and standard deviation (sd) in 8-bit levels.",
        GREY,
        text,
    )
    for i, (name, (contrast, brightness)) in enumerate(VERSIONS.items()):
        x = MARGIN + i * (TILE + GAP)
        pen.text((x, 88), name, INK, text)
        y = table(pen, x, 112, {"contrast": contrast, "brightness": brightness}, "{:g}")
        table(pen, x, y, statistics(inputs[i]), "{:.1f}")
        sheet.paste(tile(inputs[i]), (x, top))
        sheet.paste(tile(outputs[i]), (x, middle))
        table(pen, x, bottom + 6, statistics(outputs[i]), "{:.1f}")
    pen.text((MARGIN, middle - 29), "The same five pictures after haline normalize", INK, text)
    pen.text((MARGIN, bottom + 54), note, INK, text)
    return sheet


def spread(pictures):
    """The largest difference between any two of the pictures at one pixel, in 8-bit levels."""
    stack = np.stack(pictures).astype(np.int16)
    return int((stack.max(0) - stack.min(0)).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", nargs="?", type=pathlib.Path, help="PNG or JPEG; default: scikit-image's astronaut")
    parser.add_argument("--haline", required=True, help="the haline program")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder for the pictures")
    arguments = parser.parse_args()
    try:
        picture = load(arguments.picture)
    except (OSError, Image.DecompressionBombError) as error:
        parser.error(f"{arguments.picture}: {error}")
    arguments.out.mkdir(parents=True, exist_ok=True)

    inputs, outputs = [], []
    for name, (contrast, brightness) in VERSIONS.items():
        source = arguments.out / f"{name.replace(' ', '_')}.png"
        target = source.with_stem(source.stem + "_normalized")
        version = 0.5 + (picture - 0.5) * contrast + brightness
        inputs.append(np.rint(version * 255).astype(np.uint8))
        Image.fromarray(inputs[-1]).save(source, compress_level=1)
        subprocess.run([arguments.haline, "normalize", source, target], check=True)
        outputs.append(np.asarray(Image.open(target).convert("RGB")))
        print(f"{name:13} {describe(inputs[-1])}   ->   {describe(outputs[-1])}")

    note = (
        f"Largest difference between two of the inputs: {spread(inputs)} of 255 levels; "
        f"between two of the outputs: {spread(outputs)} (the inputs were rounded to 8 bits)."
    )
    print(note)
    sheet = arguments.out / "contrast.png"
    draw(inputs, outputs, note).save(sheet, optimize=True)
    print(f"picture: {sheet}")


if __name__ == "__main__":
    main()
