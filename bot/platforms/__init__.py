"""The mail platforms: what each says over its wire, its own words, hosts and settings. Nothing else names one."""
