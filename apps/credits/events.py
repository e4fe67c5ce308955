"""Audit events of credits. Single consumptions are not audited: the ledger is their record."""

from __future__ import annotations

from apps.core.audit_events import audit_event

CREDIT_ACCOUNT_CREATED = audit_event("credit_account.created", "Credit account created")
OVERDRAFT_CHANGED = audit_event("credit_account.overdraft_changed", "Overdraft limit changed")
CREDIT_POLICY_DRAFTED = audit_event("credit_policy.drafted", "Credit policy drafted")
CREDIT_POLICY_PUBLISHED = audit_event("credit_policy.published", "Credit policy published")
PRICE_PREVIEW_REQUESTED = audit_event("credit_policy.preview_requested", "Price preview of a draft requested")
CREDITS_GRANTED = audit_event("credits.granted", "Credits granted")
CREDIT_GRANT_VOIDED = audit_event("credit_grant.voided", "Credit grant voided")
CREDITS_ADJUSTED = audit_event("credits.adjusted", "Credits taken by an adjustment")
CREDITS_REVERSED = audit_event("credits.reversed", "Charge reversed")
DIFFERENCE_EXPLAINED = audit_event("differences.explained", "Differences of shadow mode explained")
DIFFERENCE_MARK_UNDONE = audit_event("differences.explanation_undone", "Explanation of differences taken back")
BALANCE_IMPORT_CHECKED = audit_event("balance_import.checked", "File of balances uploaded and checked")
BALANCE_IMPORT_STARTED = audit_event("balance_import.started", "Import of balances started")
BALANCE_IMPORT_DISCARDED = audit_event("balance_import.discarded", "Import of balances discarded")
BALANCE_IMPORT_FINISHED = audit_event("balance_import.finished", "Import of balances finished")
