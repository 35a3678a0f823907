"""Measures what the design promises, side by side in one run; never part of the tests. See bench/README.md."""
