"""Who may: tenants, keys, client secrets, limits."""
