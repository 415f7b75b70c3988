"""Stopping mail: the dry run, the second person, the work, and what is told of it."""
