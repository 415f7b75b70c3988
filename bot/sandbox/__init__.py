"""Doubles of Slack and of Stannp that enforce what the real ones enforce, and a page on which to try the bot.

They know only what is documented (docs.slack.dev; Stannp's API reference and the clients that use it). What nobody
documents they do in the mildest way that is compatible with what was seen, and can be told to do otherwise.
"""
