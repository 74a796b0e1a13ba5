"""Benchmarks: each figure is a ratio to a reference that runs beside it, because machines differ."""
