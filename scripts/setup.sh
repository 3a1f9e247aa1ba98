#!/usr/bin/env bash
# Sets this machine up to build haline, once: system packages from apt, and pinned Halide, CMake and Ninja in .venv.
#
#   scripts/setup.sh demo|test|bench     what scripts/demo.sh, scripts/test.sh or scripts/bench.sh needs
#
# As root, missing system packages are installed; as anyone else the apt-get line is printed and the exit status is 1.
# A Halide that Halide_DIR, Halide_ROOT or CMAKE_PREFIX_PATH point to is used in place of the one from PyPI.
# Also meant to be sourced, for the functions at the end.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034 # variables that test.sh reads
set -euo pipefail

haline_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
haline_venv=$haline_root/.venv
haline_cross=yes # test: does this machine have what the tests under qemu need?

haline_say() {
  local bold='' plain=''
  [[ ! -t 2 ]] || bold=$'\e[1m' plain=$'\e[0m'
  printf '%s== %s%s\n' "$bold" "$*" "$plain" >&2
}

# Prints those of the packages named that are not installed.
haline_missing() {
  local installed package
  installed=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null || true)"
  for package in "$@"; do
    [[ $installed == *" installed:$package "* ]] || echo "$package"
  done
}

haline_apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" </dev/null >&2; }

haline_system_packages() {
  local wanted=(g++ libpng-dev libjpeg-dev libcli11-dev nlohmann-json3-dev) cross=() required optional
  if [[ $1 == test ]]; then
    wanted+=(googletest libgtest-dev libbenchmark-dev libdlpack-dev pkg-config ocl-icd-opencl-dev pocl-opencl-icd)
    [[ $(uname -m) != x86_64 ]] || cross=(qemu-user g++-aarch64-linux-gnu)
  fi
  [[ $1 != bench ]] || wanted+=(libbenchmark-dev)
  # The base system may lack Python, or have one that can't make a virtual environment.
  [[ -x $haline_venv/bin/python ]] || python3 -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3-venv)
  if ! command -v dpkg-query >/dev/null; then
    haline_say "not Debian or Ubuntu: what they call ${wanted[*]} ${cross[*]} is taken to be installed"
    return
  fi
  mapfile -t required < <(haline_missing "${wanted[@]}")
  mapfile -t optional < <(haline_missing "${cross[@]}")
  [[ -n ${required[*]}${optional[*]} ]] || return 0

  if ((EUID != 0)); then
    haline_say "system packages are missing; as root:"
    echo "apt-get update && apt-get install -y --no-install-recommends ${required[*]} ${optional[*]}" >&2
    [[ -z ${required[*]} ]] || exit 1
    haline_cross=no
    return
  fi
  haline_say "installing ${required[*]} ${optional[*]}"
  apt-get update >&2
  [[ -z ${required[*]} ]] || haline_apt_install "${required[@]}"
  [[ -z ${optional[*]} ]] || haline_apt_install "${optional[@]}" || haline_cross=no
}

# Sets haline_halide_dir to the folder of an installed Halide's HalideConfig.cmake, if the environment names one.
haline_find_halide() {
  local prefix dir prefixes
  haline_halide_dir=${Halide_DIR:-}
  IFS=: read -ra prefixes <<<"${Halide_ROOT:-}:${CMAKE_PREFIX_PATH:-}"
  for prefix in "${prefixes[@]}"; do
    [[ -n $prefix && -z $haline_halide_dir ]] || continue
    for dir in "$prefix"/{lib,lib64,lib/*,share}/cmake/Halide; do
      [[ ! -e $dir/HalideConfig.cmake ]] || haline_halide_dir=$dir
    done
  done
}

haline_python_packages() {
  local files=("$haline_root/scripts/requirements.txt") extra=$haline_root/scripts/requirements-$1.txt
  local stamp=$haline_venv/.haline-$1 key
  # The folder is a part of the key: programs in a virtual environment don't survive a move.
  key="$haline_root ${haline_halide_dir:-wheel} $(cat "${files[@]}" "$extra" | sha256sum)"
  [[ ! -e $stamp || $(<"$stamp") != "$key" ]] || return 0

  haline_say "installing Halide, CMake and Ninja into .venv"
  if ! grep -qsF "$haline_venv" "$haline_venv/bin/pip" || ! "$haline_venv/bin/python" -m pip --version >/dev/null; then
    python3 -m venv --clear "$haline_venv"
  fi
  local pip=("$haline_venv/bin/python" -m pip --disable-pip-version-check install --progress-bar off)
  if [[ -n $haline_halide_dir ]]; then
    "${pip[@]}" --no-deps -r <(grep -v '^halide==' "${files[0]}") >&2
  elif ! "${pip[@]}" --no-deps -r "${files[0]}" >&2; then
    haline_say "could not install from PyPI, which has Halide for x86-64 and Python 3.9 to 3.13; elsewhere, install" \
      "Halide 21 and set Halide_DIR to the folder of its HalideConfig.cmake"
    exit 1
  fi
  # A name without Python's version in it, for CMakePresets.json. (Halide's own CMake package for virtual environments
  # wants the headers of Python.)
  local platlib
  platlib=$("$haline_venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
  ln -sfn "$platlib/halide" "$haline_venv/halide"
  "${pip[@]}" -r "$extra" >&2
  printf '%s\n' "$key" >"$stamp"
}

# What the tuner runs with, in an environment of its own.
haline_tune_venv=$haline_root/.venv-tune
haline_tune_packages() {
  local wanted=$haline_root/scripts/requirements-tune.txt stamp=$haline_tune_venv/.haline key
  key="$haline_root $(sha256sum <"$wanted")"
  [[ ! -e $stamp || $(<"$stamp") != "$key" ]] || return 0
  haline_say "installing the search library into .venv-tune"
  python3 -m venv --clear "$haline_tune_venv" &&
    "$haline_tune_venv/bin/python" -m pip --disable-pip-version-check install --progress-bar off -r "$wanted" >&2 &&
    printf '%s\n' "$key" >"$stamp"
}

# haline_configure PRESET [OPTION..]: cmake --preset, with the Halide that the environment names.
haline_configure() {
  local options=()
  if [[ -n $haline_halide_dir ]]; then
    options=("-DHalide_DIR=$haline_halide_dir" "-DHalideHelpers_DIR=${haline_halide_dir%/*}/HalideHelpers")
  fi
  (cd "$haline_root" && cmake --preset "$@" "${options[@]}")
}

# haline_wheel DIR [PIP_OPTION..]: the Python package as a wheel in DIR, with the kernels of build/release, which must be built.
haline_wheel() {
  local options=(--config-settings build-dir=build/python --config-settings
    "cmake.define.HALINE_KERNELS_ROOT=$haline_root/build/release")
  if [[ -n $haline_halide_dir ]]; then
    options+=(--config-settings "cmake.define.Halide_DIR=$haline_halide_dir")
    options+=(--config-settings "cmake.define.HalideHelpers_DIR=${haline_halide_dir%/*}/HalideHelpers")
  fi
  "$haline_venv/bin/python" -m pip --disable-pip-version-check wheel "$haline_root" --no-deps --no-build-isolation \
    -w "$@" "${options[@]}"
}

case ${1:-} in
demo | test | bench) ;;
*)
  echo "usage: scripts/setup.sh demo|test|bench" >&2
  exit 2
  ;;
esac
haline_find_halide
haline_system_packages "$1"
haline_python_packages "$1"
export PATH=$haline_venv/bin:$PATH
