"""The bodies of the credits API: requests, which refuse what they do not know, and answers (spec 09, Credits)."""

from __future__ import annotations

from typing import Any

from apps.core.enums import LifecycleState, UsageCategory
from apps.core.wire.answers import ReasonAnswer
from apps.core.wire.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictIntegerField,
    StrictUUIDField,
)
from apps.core.wire.serializers import (
    AnswerSerializer,
    StrictListField,
    StrictListSerializer,
    StrictSerializer,
    malformed,
)
from apps.core.wire.values import AmountField, QuantityField, StrictObjectField, StrictTimeField
from apps.credits.enums import AccountType, GrantType, OnInsufficient
from apps.subscriptions.enums import Verdict

MOST_ITEMS = 1_000
LONGEST_HOLD_SECONDS = 24 * 60 * 60


class AccountBody(StrictSerializer):
    type = StrictChoiceField(AccountType)
    id = StrictUUIDField()


class HoldBody(StrictSerializer):
    ttl_seconds = StrictIntegerField(least=1, most=LONGEST_HOLD_SECONDS)


class LocalDecisionBody(StrictSerializer):
    decision = StrictChoiceField(Verdict)
    balance = AmountField(allow_negative=True)
    charge = AmountField()


class AuthorizeBody(StrictSerializer):
    account = AccountBody()
    operation = StrictCharField(most=80)
    quantity = QuantityField()
    user_id = StrictUUIDField(required=False, allow_null=True)
    workspace_id = StrictUUIDField(required=False, allow_null=True)
    hold = HoldBody(required=False, allow_null=True)
    idempotency_key = StrictCharField(most=255, required=False, allow_null=True)
    local_decision = LocalDecisionBody(required=False, allow_null=True)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if attrs.get("hold") is not None and attrs.get("idempotency_key") is None:
            raise malformed("idempotency_key", "required", "send one with `hold`: repeated, it opens no second hold.")
        return attrs


class ConsumeBody(StrictSerializer):
    idempotency_key = StrictCharField(most=255)
    account = AccountBody()
    operation = StrictCharField(most=80)
    quantity = QuantityField()
    outcome = StrictCharField(most=40)
    occurred_at = StrictTimeField(required=False, allow_null=True)
    user_id = StrictUUIDField(required=False, allow_null=True)
    workspace_id = StrictUUIDField(required=False, allow_null=True)
    run_id = StrictCharField(most=255, required=False, allow_null=True)
    hold_id = StrictUUIDField(required=False, allow_null=True)
    on_insufficient = StrictChoiceField(OnInsufficient, required=False)
    local_charge = AmountField(required=False, allow_null=True)


class SeparateItems(StrictListSerializer):
    """Takes its items as they are: each is read later by itself, so that one bad item fails alone."""

    def run_child_validation(self, data: Any) -> Any:
        return data


class BatchBody(StrictSerializer):
    items = SeparateItems(child=ConsumeBody(), min_length=1, max_length=MOST_ITEMS)


class GrantBody(StrictSerializer):
    idempotency_key = StrictCharField(most=255)
    account = AccountBody()
    grant_type = StrictChoiceField(GrantType)
    amount = AmountField(allow_zero=False)
    priority = StrictIntegerField(least=0, most=255, required=False)
    effective_at = StrictTimeField(required=False, allow_null=True)
    expires_at = StrictTimeField(required=False, allow_null=True)
    note = StrictCharField(most=2_000, required=False, allow_blank=True, multiline=True)


class CaptureBody(StrictSerializer):
    idempotency_key = StrictCharField(most=255)
    quantity = QuantityField(required=False, allow_null=True)
    amount = AmountField(required=False, allow_null=True)
    outcome = StrictCharField(most=40)
    allow_more = StrictBooleanField(required=False)
    local_charge = AmountField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, object]) -> dict[str, object]:
        if attrs.get("quantity") is not None and attrs.get("amount") is not None:
            raise malformed("amount", "ambiguous", "send a quantity or an amount, not both.")
        return attrs


class ReleaseBody(StrictSerializer):
    idempotency_key = StrictCharField(most=255)


class ExtendBody(StrictSerializer):
    idempotency_key = StrictCharField(most=255)
    ttl_seconds = StrictIntegerField(least=1, most=LONGEST_HOLD_SECONDS)


class ReverseBody(StrictSerializer):
    idempotency_key = StrictCharField(most=255)
    reason = StrictCharField(most=2_000, multiline=True)
    amount = AmountField(required=False, allow_null=True, allow_zero=False)


class PriceBody(StrictSerializer):
    operation = StrictCharField(most=80)
    unit = StrictCharField(most=40)
    unit_price = AmountField()
    minimum_charge = AmountField(required=False)
    free_quantity = AmountField(required=False)
    billable_outcomes = StrictListField(StrictCharField(most=40), least=1, most=50, required=False)
    other_outcomes = StrictListField(StrictCharField(most=40), most=50, required=False)
    quantum = AmountField(required=False, allow_zero=False)


class PolicyFile(StrictSerializer):
    """The file of `manage.py publish_policy`."""

    effective_from = StrictTimeField(required=False)
    operations = StrictListSerializer(child=PriceBody(), min_length=1)


class BalanceFields(AnswerSerializer):
    balance = AmountField(allow_negative=True)
    held = AmountField()
    available = AmountField(allow_negative=True, help_text="What may still be spent, the overdraft included.")


class HoldAnswer(AnswerSerializer):
    id = StrictUUIDField()
    amount = AmountField()
    expires_at = StrictTimeField()


class AuthorizeAnswer(BalanceFields):
    decision = StrictChoiceField(Verdict)
    code = StrictCharField()
    decided_by = StrictChoiceField(("central", "local"))
    price = AmountField(allow_null=True)
    lifecycle = StrictChoiceField(LifecycleState, allow_null=True)
    free_month_ends_at = StrictTimeField(help_text="When the month's free quantities begin anew.")
    warnings = StrictListField(StrictCharField())
    explanation = ReasonAnswer(many=True)
    decision_id = StrictUUIDField(allow_null=True)
    hold = HoldAnswer(allow_null=True)


class RunChargedBefore(AnswerSerializer):
    entry_id = StrictUUIDField()
    product = StrictCharField(allow_null=True)
    recorded_at = StrictTimeField()


class BookedAnswer(BalanceFields):
    """What consumptions and captures have in common."""

    charged = AmountField()
    category = StrictChoiceField(UsageCategory)
    billable = StrictBooleanField()
    policy_version = StrictIntegerField(least=1)
    decided_by = StrictChoiceField(("central", "local"))
    shadow_charge = AmountField(required=False, help_text="Of what the product charged itself: our price.")
    warnings = StrictListField(StrictCharField())
    replayed = StrictBooleanField()


class ConsumeAnswer(BookedAnswer):
    entry_id = StrictUUIDField()
    late = StrictBooleanField()
    run_charged_before = RunChargedBefore(required=False, help_text="The run's first charge, where there is one.")


class BatchResult(AnswerSerializer):
    status = StrictIntegerField(least=200, most=599)
    body = ConsumeAnswer(required=False)
    problem = StrictObjectField(required=False, help_text="The problem document, where the item was refused.")


class BatchAnswer(AnswerSerializer):
    results = BatchResult(many=True)


class GrantAnswer(BalanceFields):
    grant_id = StrictUUIDField()
    entry_id = StrictUUIDField(allow_null=True, help_text="Null until the grant begins.")
    account_id = StrictUUIDField()
    amount = AmountField()
    replayed = StrictBooleanField()


class CaptureAnswer(BookedAnswer):
    entry_id = StrictUUIDField()
    hold_id = StrictUUIDField()


class ExtendAnswer(AnswerSerializer):
    hold_id = StrictUUIDField()
    amount = AmountField()
    expires_at = StrictTimeField()
    replayed = StrictBooleanField()


class ReleaseAnswer(BalanceFields):
    hold_id = StrictUUIDField()
    released = AmountField()
    replayed = StrictBooleanField()


class ReverseAnswer(BalanceFields):
    entry_id = StrictUUIDField()
    reversal_of = StrictUUIDField()
    reversed = AmountField()
    lapsed = AmountField(help_text="What lapsed at once, because the grant that it went back to had ended.")
    free_quantity_returned = AmountField()
    remaining = AmountField(help_text="What of the charge can still be given back.")
    replayed = StrictBooleanField()


class PriceAnswer(AnswerSerializer):
    operation = StrictCharField()
    unit = StrictCharField()
    unit_price = AmountField()
    minimum_charge = AmountField()
    free_quantity = AmountField()
    billable_outcomes = StrictListField(StrictCharField())
    other_outcomes = StrictListField(StrictCharField())
    quantum = AmountField()


class PolicyAnswer(AnswerSerializer):
    product = StrictCharField()
    version = StrictIntegerField(least=1)
    effective_from = StrictTimeField()
    rounding = StrictChoiceField(("half_up",))
    operations = PriceAnswer(many=True)
