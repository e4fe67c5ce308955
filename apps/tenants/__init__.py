"""Organizations, workspaces, users, memberships, products, tokens, and the context resolver."""
