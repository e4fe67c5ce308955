"""Django's PostgreSQL backend with limits on time, direct or behind a pooler (spec 14, Topology).

`limits` says how long each kind of work may take, `base` is the backend, `watchdog` ends what the server doesn't end,
`probe` finds a pooler that loses prepared statements.
"""
