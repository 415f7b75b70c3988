"""The mail platforms, a folder each."""
