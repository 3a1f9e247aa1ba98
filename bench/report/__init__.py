"""The benchmark report: haline beside its peers and beside a copy of the same bytes. scripts/bench.sh runs it.

What happens to a measurement, and where: cells.py says what is measured; data.py makes its inputs; peers/ runs it;
oracle.py holds the result against the exact one; measure.py takes the time, beside that of baseline.py; run.py puts
these together. summary.py compares, table.py and plots.py show, page.py writes what they show into a page.
"""
