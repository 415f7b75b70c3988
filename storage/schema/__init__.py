"""The tables, and the revision of a database."""
