"""Settings, the audit log, and erasing a recipient."""
