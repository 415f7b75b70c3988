"""Pictures: the pie, the curve and the bars, and the addresses under which they are shown."""
