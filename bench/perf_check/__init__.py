"""Compares the speed of two builds: scripts/perf_check.sh.

SPDX-License-Identifier: MIT
"""
