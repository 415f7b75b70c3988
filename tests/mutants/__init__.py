"""Whether the fast ring notices when a decision is changed: `make mutants`."""
