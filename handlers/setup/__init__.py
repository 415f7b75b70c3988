"""Arriving, connecting the mail account, what only a person can mend, and leaving."""
