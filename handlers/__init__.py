"""Decisions: functions over values and rows. No framework, no socket."""
