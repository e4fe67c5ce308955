"""Typed identifiers of the credits app. An account bears the id of its organization."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

CreditPolicyId = NewType("CreditPolicyId", UUID)
CreditGrantId = NewType("CreditGrantId", UUID)
CreditEntryId = NewType("CreditEntryId", UUID)
HoldId = NewType("HoldId", UUID)
