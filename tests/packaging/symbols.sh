#!/usr/bin/env bash
# symbols.sh shared|static LIBRARY NM HEADER: the library shows the functions of the header, each of them, and nothing
# else; above all no halide_*, which would meet a host program's own.
# SPDX-License-Identifier: MIT
set -euo pipefail
kind=$1 library=$2 nm=$3 header=$4
options=(--extern-only --defined-only --format=posix)
[[ $kind == static ]] || options+=(--dynamic)
declared=$(grep -oE '\bhaline_[a-z_]+\(' "$header" | tr -d '(' | grep -vxE 'haline_[a-z]+_t' | sort -u)
shown=$("$nm" "${options[@]}" "$library" | awk 'NF > 1 && $2 ~ /^[A-Zu]$/ { print $1 }' | sort -u)
[[ $(wc -l <<<"$declared") -ge 10 ]] || { echo "symbols.sh: no longer understands $header"; exit 1; }
diff <(echo "$declared") <(echo "$shown") || { echo "< declared in the header, > shown by $library"; exit 1; }
echo "$(wc -l <<<"$shown") symbols, all of the header's"
