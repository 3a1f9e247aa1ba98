"""What the tests of scripts/perf_check.sh share: times of rows, in seconds. Makes its program importable."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

BASE = {
    "copy/8x64x32x32": 20e-6,
    "forward/f32/nchw/8x64x32x32/x86-avx512": 45e-6,
    "forward/f32/nchw/32x512x2x2/x86-avx512": 30e-6,
    "backward/f32/nchw/8x64x32x32/x86-avx512": 90e-6,
    "call/cpp/2x6x2x4/x86-avx512": 0.5e-6,
}
SLOW = "forward/f32/nchw/8x64x32x32/x86-avx512"
