"""The embedded stack on one machine: PostgreSQL, Valkey, web, worker and beat (spec 12, One engine everywhere).

`places` says where everything lies, `programs` finds the servers, `engines` knows how each server starts and stops,
`keeper` is the small process that owns one server, `sessions` shares it between those that use it, and `supervisor` is
`make run`.
"""
