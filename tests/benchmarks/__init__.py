"""Each promise about speed, measured beside its floor in the same run."""
