"""What rollups read of the ledger: a piece of SQL, as the app above names none of our tables (spec 07, Rollups).

An account's entries are numbered without a gap, and the number is given under the account's lock: whoever sees an entry
sees all before it. So "up to which number" is a position that loses nothing, whatever order transactions end in.
"""

from __future__ import annotations

# For a CTE `part (account_id, first_sequence, last_sequence)`: each of its entries as a line of usage. A line of a
# reversal has the moment of what it reverses; its quantity goes back with the part that gives back the last of the
# charge, so that a partial reversal returns credits and no quantity.
ENTRY_LINES = """
    SELECT part.account_id, part.first_sequence, entry.kind, entry.workspace_id, entry.product_id, entry.operation,
        entry.category, entry.amount, entry.recorded_at,
        COALESCE(charged.occurred_at, entry.occurred_at) AS occurred_at,
        whole.sign * COALESCE(charged.quantity, entry.quantity) AS quantity, whole.sign AS count
    FROM part
    JOIN credits_creditentry AS entry ON entry.account_id = part.account_id
        AND entry.sequence BETWEEN part.first_sequence AND part.last_sequence
    LEFT JOIN credits_creditentry AS charged ON charged.id = entry.reversal_of_id
    CROSS JOIN LATERAL (SELECT CASE
        WHEN entry.kind IN ('consumption', 'capture') THEN 1
        WHEN entry.kind = 'reversal' AND -charged.amount = (
            SELECT SUM(part_given.amount) FROM credits_creditentry AS part_given
            WHERE part_given.reversal_of_id = charged.id AND part_given.sequence <= entry.sequence) THEN -1
        ELSE 0 END AS sign) AS whole
"""
