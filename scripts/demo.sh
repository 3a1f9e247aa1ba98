#!/usr/bin/env bash
# Shows what instance normalization does: a photograph at several contrasts, before and after, in one PNG; then what each
# back end of this machine does on it.
#
#   scripts/demo.sh [PICTURE]      PNG or JPEG; default: scikit-image's astronaut
#
# SPDX-License-Identifier: MIT
case ${1:-} in
-h | --help)
  sed -n '2,/SPDX/{/SPDX/!s/^#\( \|$\)//p}' "$0"
  exit
  ;;
esac
picture=()
if [[ -n ${1:-} ]]; then
  picture=("$(realpath -e -- "$1")") || exit 1
fi
cd "$(dirname "$0")/.." || exit
source scripts/setup.sh demo

haline_say "building (build/release)"
fresh=()
[[ -e build/release/CMakeCache.txt ]] || fresh=(-DHALINE_BUILD_TESTS=OFF -DHALINE_BUILD_BENCHMARKS=OFF)
haline_configure release "${fresh[@]}" >&2
cmake --build build/release --target haline_tool >&2

haline_say "the same picture at several contrasts"
python examples/contrast.py --haline build/release/tools/haline --out build/demo "${picture[@]}"

haline_say "the back ends of this machine on that picture"
build/release/tools/haline bench build/demo/as_it_is.png
