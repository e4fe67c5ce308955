"""Credits: policies, accounts, grants, the ledger, holds and the gate that products ask (spec 05)."""
