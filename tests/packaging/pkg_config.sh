#!/usr/bin/env bash
# pkg_config.sh LIBDIR CC PKG_CONFIG SOURCE: a C99 program builds with what pkg-config says and runs, with the shared
# library and with the static one.
# SPDX-License-Identifier: MIT
set -euo pipefail
libdir=$1 cc=$2 pkg_config=$3 source=$4
export PKG_CONFIG_PATH=$libdir/pkgconfig
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
warnings=(-std=c99 -Wall -Wextra -Wpedantic -Werror)

# Words, as a Makefile would take them.
read -ra flags < <("$pkg_config" --cflags --libs haline)
"$cc" "${warnings[@]}" "$source" "${flags[@]}" -o "$scratch/shared"
LD_LIBRARY_PATH=$libdir "$scratch/shared" | tee "$scratch/shared.txt"
readelf -d "$scratch/shared" | grep -q 'libhaline\.so\.0'

read -ra flags < <("$pkg_config" --static --cflags --libs haline)
"$cc" "${warnings[@]}" "$source" -static "${flags[@]}" -o "$scratch/static"
"$scratch/static" | cmp - "$scratch/shared.txt"

# (1, 2, 3) and (10, 20, 60), centred and divided by their deviations.
diff - "$scratch/shared.txt" <<'TXT'
-1.2247 0.0000 1.2247
-0.9258 -0.4629 1.3887
TXT
