"""What is answered about entries, grants, burns, holds, balances and decisions.

Of another product's records the details are null, and `own` is false (spec 09, Credits).
"""

from __future__ import annotations

from apps.core.wire.answers import ReasonAnswer
from apps.core.wire.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictUUIDField,
)
from apps.core.wire.serializers import AnswerSerializer, StrictListField, StrictSerializer
from apps.core.wire.values import AmountField, StrictObjectField, StrictTimeField
from apps.credits.api.bodies import BalanceFields
from apps.credits.enums import EntryKind, GrantState, GrantType, HoldStatus
from apps.subscriptions.enums import ReceiptKind, Verdict

_OWN = "False for what another product or staff made; its details are null."


class VoidBody(StrictSerializer):
    idempotency_key = StrictCharField(most=255)
    reason = StrictCharField(most=2_000, multiline=True)


class VoidAnswer(BalanceFields):
    grant_id = StrictUUIDField()
    entry_id = StrictUUIDField(allow_null=True, help_text="Null where nothing was taken yet.")
    voided = AmountField()
    held_back = AmountField(help_text="What open holds stand on; it goes when they end.")
    replayed = StrictBooleanField()


class EntryAnswer(AnswerSerializer):
    id = StrictUUIDField()
    sequence = StrictIntegerField()
    kind = StrictChoiceField(EntryKind)
    amount = AmountField(allow_negative=True)
    balance_after = AmountField(allow_negative=True)
    product = StrictCharField(allow_null=True)
    own = StrictBooleanField(help_text=_OWN)
    operation = StrictCharField(allow_blank=True, allow_null=True)
    quantity = AmountField(allow_null=True)
    free_quantity = AmountField(allow_null=True)
    category = StrictCharField(allow_blank=True, allow_null=True)
    billable = StrictBooleanField(allow_null=True)
    outcome = StrictCharField(allow_blank=True, allow_null=True)
    user_id = StrictUUIDField(allow_null=True)
    workspace_id = StrictUUIDField(allow_null=True)
    run_id = StrictCharField(allow_blank=True, allow_null=True)
    hold_id = StrictUUIDField(allow_null=True)
    grant_id = StrictUUIDField(allow_null=True)
    reversal_of = StrictUUIDField(allow_null=True)
    policy_version = StrictIntegerField(allow_null=True)
    idempotency_key = StrictCharField(allow_blank=True, allow_null=True)
    late = StrictBooleanField(allow_null=True)
    decided_by = StrictChoiceField(("central", "local"), allow_null=True)
    shadow_charge = AmountField(allow_null=True, help_text="Of what the product charged itself: our price.")
    local_charge = AmountField(allow_null=True)
    occurred_at = StrictTimeField()
    recorded_at = StrictTimeField()


class EntriesPage(AnswerSerializer):
    items = EntryAnswer(many=True)
    next_cursor = StrictCharField(allow_null=True)


class PaidByAnswer(AnswerSerializer):
    grant_id = StrictUUIDField()
    grant_type = StrictChoiceField(GrantType)
    amount = AmountField(allow_negative=True, help_text="Negative: given back to the grant.")


class OneEntryAnswer(EntryAnswer):
    paid_by = PaidByAnswer(many=True)
    unpaid = AmountField(help_text="What no grant has paid yet of the charge.")
    given_back = AmountField(help_text="What reversals gave back so far.")


class GrantRecordAnswer(AnswerSerializer):
    id = StrictUUIDField()
    grant_type = StrictChoiceField(GrantType)
    state = StrictChoiceField(GrantState)
    amount = AmountField()
    remaining = AmountField(help_text="What is left of it; of one that begins later, all.")
    priority = StrictIntegerField()
    effective_at = StrictTimeField()
    expires_at = StrictTimeField(allow_null=True)
    voided_at = StrictTimeField(allow_null=True)
    created_at = StrictTimeField()
    product = StrictCharField(allow_null=True)
    own = StrictBooleanField(help_text=_OWN)
    granted_by = StrictCharField(allow_null=True)
    note = StrictCharField(allow_blank=True, allow_null=True)
    idempotency_key = StrictCharField(allow_blank=True, allow_null=True)


class GrantsPage(AnswerSerializer):
    items = GrantRecordAnswer(many=True)
    next_cursor = StrictCharField(allow_null=True)


class BurnAnswer(AnswerSerializer):
    amount = AmountField(allow_negative=True, help_text="Negative: given back to the grant.")
    entry = EntryAnswer()


class BurnsPage(AnswerSerializer):
    items = BurnAnswer(many=True)
    next_cursor = StrictCharField(allow_null=True)


class HoldRecordAnswer(AnswerSerializer):
    id = StrictUUIDField()
    account_id = StrictUUIDField()
    status = StrictChoiceField(HoldStatus)
    amount = AmountField()
    created_at = StrictTimeField()
    expires_at = StrictTimeField()
    ended_at = StrictTimeField(allow_null=True)
    product = StrictCharField()
    own = StrictBooleanField(help_text=_OWN)
    operation = StrictCharField(allow_null=True)
    quantity = AmountField(allow_null=True)
    user_id = StrictUUIDField(allow_null=True)
    workspace_id = StrictUUIDField(allow_null=True)
    policy_version = StrictIntegerField(allow_null=True)


class HoldsPage(AnswerSerializer):
    items = HoldRecordAnswer(many=True)
    next_cursor = StrictCharField(allow_null=True)


class ExpiryAnswer(AnswerSerializer):
    grant_id = StrictUUIDField()
    amount = AmountField()
    remaining = AmountField(help_text="The same as `amount`.")
    expires_at = StrictTimeField()


class UpcomingAnswer(AnswerSerializer):
    grant_id = StrictUUIDField()
    grant_type = StrictChoiceField(GrantType)
    amount = AmountField()
    effective_at = StrictTimeField()
    expires_at = StrictTimeField(allow_null=True)


class BalanceAnswer(BalanceFields):
    account = StrictObjectField()
    organization_id = StrictUUIDField(allow_null=True)
    overdraft_limit = AmountField()
    at = StrictTimeField(help_text="The moment that the answer is about.")
    free_month_ends_at = StrictTimeField(help_text="When the free quantities of the month end.")
    next_expiries = ExpiryAnswer(many=True, help_text="Empty where `at` was asked for.")
    upcoming_grants = UpcomingAnswer(many=True, help_text="Grants that begin later; empty where `at` was asked for.")


class ReadRecordAnswer(AnswerSerializer):
    record = StrictCharField()
    version = StrictCharField()


class ReplayAnswer(AnswerSerializer):
    decision = StrictChoiceField(Verdict)
    code = StrictCharField()
    changes = StrictListField(StrictCharField(), help_text="What has changed since, when, and by whom.")


class DecisionAnswer(AnswerSerializer):
    id = StrictUUIDField()
    kind = StrictChoiceField(ReceiptKind)
    decision = StrictChoiceField(Verdict)
    code = StrictCharField()
    organization_id = StrictUUIDField(allow_null=True)
    workspace_id = StrictUUIDField(allow_null=True)
    question = StrictObjectField()
    explanation = ReasonAnswer(many=True)
    records = ReadRecordAnswer(many=True)
    policy_version = StrictIntegerField(allow_null=True)
    request_id = StrictCharField()
    created_at = StrictTimeField()
    today = ReplayAnswer(allow_null=True, help_text="The answer today; null where the question can't be asked again.")
