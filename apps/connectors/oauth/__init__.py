"""Google as an authorization server: one configuration, one state, one client (spec 06, Google authorization)."""
