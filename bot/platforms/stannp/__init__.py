"""Stannp: its HTTP API, and its bytes as our records."""
