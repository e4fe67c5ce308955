"""What is not collected in `make test`."""

from __future__ import annotations

from tests.sizes import IS_FULL

# The first needs a PgBouncer that knows prepared statements, which no wheel has: `make test` has tests/core/test_find_
# forgetful_pooler.py and test_send_statements_pooled.py in its place. The second takes minutes: test_failover.py.
collect_ignore = [] if IS_FULL else ["test_pooler.py", "test_topology.py"]
