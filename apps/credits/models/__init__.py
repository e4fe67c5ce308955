"""The records of credits; amounts are BIGINT micro-credits, quantities BIGINT micro-units."""

from __future__ import annotations

from apps.credits.models.accounts import CreditAccount, CreditGrant, FreeQuantity
from apps.credits.models.allowances import AllowanceGrant
from apps.credits.models.balance_imports import BalanceImport, BalanceImportFile, ImportedBalance
from apps.credits.models.differences import DifferenceMark
from apps.credits.models.ledger import CreditEntry, GrantBurn, UncoveredCharge
from apps.credits.models.policies import CreditPolicy, OperationPrice
from apps.credits.models.price_previews import PricePreviewRun
from apps.credits.models.reservations import Hold, ShadowComparison, ShadowDisagreement
from apps.credits.models.seals import EntrySeal, ErasedEntry

__all__ = [
    "AllowanceGrant",
    "BalanceImport",
    "BalanceImportFile",
    "CreditAccount",
    "CreditEntry",
    "CreditGrant",
    "CreditPolicy",
    "DifferenceMark",
    "EntrySeal",
    "ErasedEntry",
    "FreeQuantity",
    "GrantBurn",
    "Hold",
    "ImportedBalance",
    "OperationPrice",
    "PricePreviewRun",
    "ShadowComparison",
    "ShadowDisagreement",
    "UncoveredCharge",
]
