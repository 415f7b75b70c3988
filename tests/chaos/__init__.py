"""Kills, outages and lies against the running program, and an oracle that compares every row and message at the end."""
