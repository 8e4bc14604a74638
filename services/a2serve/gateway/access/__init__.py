"""Access control: tenants, keys, client secrets, limits."""
