"""What rollups read of the ledger: a piece of SQL, as the app above names none of our tables (spec 07, Rollups).

An account's entries are numbered without a gap, and the number is given under the account's lock: whoever sees an entry
sees all before it. So "up to which number" is a position that loses nothing, whatever order transactions end in.
"""

from __future__ import annotations

# For a CTE `part (account_id, first_sequence, last_sequence)`: each of its entries as a line of usage. A line of a
# reversal has the moment of what it reverses; its quantity goes back with the part that gives back the last of the
# charge, so that a partial reversal returns credits and no quantity.
# OFFSET 0 keeps the planner from joining the table with itself: it takes a piece for a part of all entries that grows
# with them, and would read the whole ledger for each minute's news.
ENTRY_LINES = """
    SELECT part.account_id, part.first_sequence, entry.kind, entry.workspace_id, entry.product_id, entry.operation,
        entry.category, entry.amount, entry.recorded_at,
        COALESCE(charged.occurred_at, entry.occurred_at) AS occurred_at,
        whole.sign * COALESCE(charged.quantity, entry.quantity) AS quantity, whole.sign AS count
    FROM part
    CROSS JOIN LATERAL (SELECT * FROM credits_creditentry AS own WHERE own.account_id = part.account_id
        AND own.sequence BETWEEN part.first_sequence AND part.last_sequence OFFSET 0) AS entry
    LEFT JOIN LATERAL (SELECT * FROM credits_creditentry AS reversed WHERE reversed.id = entry.reversal_of_id
        OFFSET 0) AS charged ON true
    CROSS JOIN LATERAL (SELECT CASE
        WHEN entry.kind IN ('consumption', 'capture') THEN 1
        WHEN entry.kind = 'reversal' AND -charged.amount = (
            SELECT SUM(part_given.amount) FROM credits_creditentry AS part_given
            WHERE part_given.reversal_of_id = charged.id AND part_given.sequence <= entry.sequence) THEN -1
        ELSE 0 END AS sign) AS whole
"""

# For a row `asked (account_id)`: its account, what its last entry left, and what its open holds hold.
ACCOUNT_NOW = """
    SELECT account.balance, account.held, account.last_sequence, COALESCE((SELECT last_entry.balance_after
            FROM credits_creditentry AS last_entry WHERE last_entry.account_id = account.organization_id
            ORDER BY last_entry.sequence DESC LIMIT 1), 0) AS last_balance,
        COALESCE((SELECT SUM(hold.amount) FROM credits_hold AS hold
            WHERE hold.account_id = account.organization_id AND hold.status = 'open'), 0) AS open_holds
    FROM credits_creditaccount AS account WHERE account.organization_id = asked.account_id
"""
# The entries of `asked.account_id` from the number `since.first_sequence` on.
ENTRIES_SINCE = """
    SELECT entry.kind, entry.amount, entry.sequence, entry.recorded_at FROM credits_creditentry AS entry
    WHERE entry.account_id = asked.account_id AND entry.sequence >= since.first_sequence
"""
# When the entry after the number `state.last_sequence` of `state.account_id` was recorded.
NEXT_RECORDED_AT = """
    SELECT entry.recorded_at FROM credits_creditentry AS entry
    WHERE entry.account_id = state.account_id AND entry.sequence = state.last_sequence + 1
"""
