#!/usr/bin/env bash
# tree.sh PREFIX LIBDIR VERSION tool|no-tool: what is installed is exactly this, and the tool runs from there.
# SPDX-License-Identifier: MIT
set -euo pipefail
prefix=$1 lib=$2 version=$3 tool=$4
expected=(
  include/haline/haline.h include/haline/haline.hpp include/haline/operator.hpp include/haline/tensor.hpp
  "$lib"/libhaline.{a,so,so.0,so."$version"}
  "$lib"/cmake/haline/haline{Config,ConfigVersion,Targets}.cmake
  "$lib"/pkgconfig/haline.pc
)
[[ $tool == no-tool ]] || expected+=(bin/haline)
found=$(cd "$prefix" && find . -mindepth 1 ! -type d ! -name 'halineTargets-*.cmake' -printf '%P\n')
diff <(printf '%s\n' "${expected[@]}" | sort) <(sort <<<"$found") || { echo "< expected, > found in $prefix"; exit 1; }
[[ -n $(find "$prefix/$lib/cmake/haline" -name 'halineTargets-*.cmake') ]] || { echo "no halineTargets-*.cmake"; exit 1; }
[[ $tool == no-tool ]] || "$prefix/bin/haline" info
