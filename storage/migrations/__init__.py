"""The schema's history. Run by `piecewise migrate`; a migration must work beside the version before it."""
