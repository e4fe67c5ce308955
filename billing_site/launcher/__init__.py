"""The embedded stack: finds, starts, watches and stops PostgreSQL, Valkey, web, worker and beat on one machine."""
