"""The schema's history. Run by `piecewise migrate`; a migration must work beside the version before it.

It adds: tables, and columns that may be empty or have a server default. What drops or renames comes a version later,
and raises `storage.schema.revision.OLDEST`.
"""
