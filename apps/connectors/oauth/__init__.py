"""OAuth: one protocol for every authorization server, and one module of data for each server."""
