#!/usr/bin/env bash
# Searches the schedules of haline's kernels on this machine, and writes what wins into generators/schedules, which the
# next build uses. Holds the bytes of whatever it times against the library's. docs/tuning.md tells more.
#
#   scripts/tune.sh [--backend x86-avx2] [--dtype float16] [--form backward] [--shapes style,8x64x31x31] [--budget 10m]
#                   [--resume]
#   scripts/tune.sh --compare FILE.json    the hand schedules, Halide's autoschedulers and the tuned ones
#   scripts/tune.sh --help                 every option
#
# SPDX-License-Identifier: MIT
here=$PWD
# Before minutes of setting up: --help, and what is wrong with the arguments.
early() { PYTHONPATH=$(dirname "$0")/../tools PYTHONDONTWRITEBYTECODE=1 python3 "$@"; }
for word in "$@"; do
  if [[ $word == -h || $word == --help ]]; then
    early -m tune --help
    exit
  fi
done
! command -v python3 >/dev/null || early -c 'import sys; from tune.__main__ import arguments; arguments(sys.argv[1:])' "$@" || exit
source "$(dirname "$0")/setup.sh" test
haline_tune_packages

haline_say "building (build/release)"
haline_configure release >&2
cmake --build "$haline_root/build/release" --target haline_shared haline_tool haline_compare >&2
cd "$here" # what the arguments name is where the caller is
PYTHONPATH=$haline_root/tools exec "$haline_tune_venv/bin/python" -m tune "$@"
