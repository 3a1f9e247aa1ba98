#!/usr/bin/env bash
# Is this tree slower than the one it came from? Builds both and runs their benchmarks in turn; --help tells more.
#
#   scripts/perf_check.sh [BASE] [HEAD] [OPTION..]
#
# SPDX-License-Identifier: MIT
cd "$(dirname "$0")/.." || exit
export PYTHONPATH=bench PYTHONDONTWRITEBYTECODE=1
for word in "$@"; do
  if [[ $word == -h || $word == --help ]]; then exec python3 -m perf_check --help; fi
done
source scripts/setup.sh test
export Halide_DIR=${haline_halide_dir:-}
exec python -m perf_check "$@"
