"""Every sentence and block that a person reads. Pure functions: facts in, messages out."""
