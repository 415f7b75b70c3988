"""Inputs that nobody should send, made from those that Slack and Stannp do send."""
