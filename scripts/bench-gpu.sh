#!/usr/bin/env bash
# Measures the CUDA back end on this machine's GPU beside PyTorch (eager, compiled), cuDNN and a Triton kernel: a table, and
# gpu.json. A few minutes, with what it has to build.
#
#   scripts/bench-gpu.sh [--library LIBHALINE.SO] [--out FILE] [--minutes X] [--dry-run [--backend NAME]]
#
#   --library  one that was built before, with -DHALINE_GPU=cuda
#   --out      where the JSON goes [gpu.json]
#   --minutes  shapes that have not begun by then are left out [6]
#   --dry-run  no GPU: the same on the processor with small tensors, to see that it works
#   --backend  haline's in a dry run, such as opencl, which tensors are sent to [the best for the processor]
#
# PyTorch is the caller's: the interpreter is $PYTHON, or else python3.
# SPDX-License-Identifier: MIT
set -euo pipefail
python=${PYTHON:-python3} library='' arguments=()
while (($#)); do
  case $1 in
  --library | --out | --minutes | --backend)
    if (($# < 2)); then
      echo "scripts/bench-gpu.sh: $1: nothing found after it, a value wanted" >&2
      exit 2
    fi
    if [[ $1 == --library ]]; then library=$2; else arguments+=("$1" "$2"); fi
    shift
    ;;
  --dry-run) arguments+=(--dry-run) ;;
  -h | --help)
    sed -n '2,/SPDX/{/SPDX/!s/^#\( \|$\)//p}' "$0"
    exit
    ;;
  *)
    echo "scripts/bench-gpu.sh: unknown option '$1'; see --help" >&2
    exit 2
    ;;
  esac
  shift
done
root=$(cd "$(dirname "$0")/.." && pwd)
if ! "$python" -c 'import torch' 2>/dev/null; then
  echo "scripts/bench-gpu.sh: $python has no PyTorch; set PYTHON to an interpreter that has" >&2
  exit 1
fi
if [[ -z $library ]]; then
  cd "$root"
  set -- demo
  source scripts/setup.sh demo
  haline_configure release -DHALINE_GPU=cuda
  cmake --build build/release --target haline_shared
  library=$root/build/release/runtime/libhaline.so
fi
exec "$python" "$root/bench/gpu_bench.py" --library "$library" "${arguments[@]}"
