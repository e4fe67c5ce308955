"""Spec 03's rules and table written a second time, from its text alone, to check the resolver against.

Plain words and no import of the resolver: whatever is wrong there must not be wrong here too.
"""

from __future__ import annotations

NEEDS = ("read", "consume", "edit_connectors", "sync", "invite", "replace_credential")

# | lifecycle | read, export | consume, hold | create or edit connectors | sync | invite |
TABLE = """
pre_subscription    | yes        | from grants only | yes | no  | yes
trial               | yes        | yes              | yes | yes | yes
active              | yes        | yes              | yes | yes | yes
grace               | yes        | with a warning   | no  | yes | yes
suspended_read_only | yes        | no               | no  | no  | no
closed              | owner only | no               | no  | no  | no
"""


def allowed() -> dict[tuple[str, str], str]:
    """(lifecycle, need) → the cell of the table."""
    cells = {}
    for line in TABLE.strip().splitlines():
        state, *columns = (part.strip() for part in line.split("|"))
        # "Replacing a credential, re-authorizing ... are allowed wherever sync is, and in pre_subscription."
        columns.append("yes" if state == "pre_subscription" else columns[NEEDS.index("sync")])
        cells.update({(state, need): cell for need, cell in zip(NEEDS, columns, strict=True)})
    return cells


def lifecycle(
    payment: str,
    organization_status: str,
    record: str | None,
    overlay: str | None,
    is_closed: bool,
    all_name_workspaces: bool,
) -> tuple[str, str]:
    """(state, source), read off the numbered list of spec 03 from its end to its beginning."""
    state, source = (
        {
            "subscribed": "pre_subscription" if all_name_workspaces else "active",
            "unsubscribed": "suspended_read_only",
            "pre_subscription": "pre_subscription",
        }[organization_status],
        "subscription_status",
    )
    if overlay:
        state, source = overlay, "manual_overlay"
    if record:
        source = "subscription"
        if record == "trialing":
            state = "trial"
        elif record == "past_due":
            state = "grace"
        else:
            state = "active" if record == "active" else "suspended_read_only"
    if payment in ("disabled", "locked"):
        state, source = "suspended_read_only", "payment_status"
    if is_closed:
        state, source = "closed", "organization"
    if payment == "grace_period" and state in ("trial", "active"):
        state, source = "grace", "payment_status"
    return state, source
