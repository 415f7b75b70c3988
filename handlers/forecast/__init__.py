"""When mail may be expected to land."""
