"""Promises under real faults: a Docker engine of its own, real containers, real kills. `make faults` runs them."""
