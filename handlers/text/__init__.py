"""Words and blocks: how numbers, names, statuses and buttons are written and read."""
