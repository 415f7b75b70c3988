"""The returns desk: what came back, why, and what was done about it."""
