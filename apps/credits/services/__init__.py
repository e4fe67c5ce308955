"""The only code that changes credits: guard, lock the account, post, in one transaction."""

from __future__ import annotations

from apps.credits.services.accounts import account_apply_due, accounts_burn, credit_account_create
from apps.credits.services.authorization import credits_authorize
from apps.credits.services.balance_imports import (
    balance_import_create,
    balance_import_discard,
    balance_import_start,
    balances_judge,
)
from apps.credits.services.consumption import credits_consume, credits_consume_batch
from apps.credits.services.differences import difference_explain, difference_mark_undo, differences_explain
from apps.credits.services.grants import credit_grant, overdraft_set
from apps.credits.services.holds import hold_capture, hold_extend, hold_release
from apps.credits.services.policies import (
    credit_policy_draft,
    credit_policy_publish,
    credit_policy_publish_prices,
)
from apps.credits.services.price_previews import price_preview_request
from apps.credits.services.reversals import credit_adjust, entry_reverse

__all__ = [
    "account_apply_due",
    "accounts_burn",
    "balance_import_create",
    "balance_import_discard",
    "balance_import_start",
    "balances_judge",
    "credit_account_create",
    "credit_adjust",
    "credit_grant",
    "credit_policy_draft",
    "credit_policy_publish",
    "credit_policy_publish_prices",
    "credits_authorize",
    "credits_consume",
    "credits_consume_batch",
    "difference_explain",
    "difference_mark_undo",
    "differences_explain",
    "entry_reverse",
    "hold_capture",
    "hold_extend",
    "hold_release",
    "overdraft_set",
    "price_preview_request",
]
