"""Worlds made from seeds: see docs/simulation.md."""
