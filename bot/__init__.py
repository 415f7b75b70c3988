"""The world: frameworks, sockets, clocks, keys. Nothing imports this folder."""
