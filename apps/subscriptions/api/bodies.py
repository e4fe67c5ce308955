"""The answers of the gate (spec 09, Gate)."""

from __future__ import annotations

from apps.core.enums import LifecycleState
from apps.core.wire.fields import StrictBooleanField, StrictCharField, StrictChoiceField, StrictUUIDField
from apps.core.wire.serializers import AnswerSerializer
from apps.core.wire.values import StrictObjectField, StrictTimeField
from apps.subscriptions.enums import LifecycleSource, PaymentStatus, SubscriptionStatus, UsageCategoryOverride


class LifecycleReason(AnswerSerializer):
    rule = StrictCharField()
    fact = StrictCharField()
    record = StrictCharField()


class LifecycleAnswer(AnswerSerializer):
    workspace_id = StrictUUIDField()
    state = StrictChoiceField(LifecycleState)
    source = StrictChoiceField(LifecycleSource, help_text="What the state follows from.")  # type: ignore[assignment]
    operations = StrictObjectField(help_text="Each operation with a lifecycle need, and whether it is allowed now.")
    reasons = LifecycleReason(many=True)
    needs_review = StrictBooleanField(help_text="A trial or period end has passed; a person will decide.")


class PaymentConfigAnswer(AnswerSerializer):
    organization_id = StrictUUIDField()
    payment_status = StrictChoiceField(PaymentStatus)
    subscription_status = StrictChoiceField(SubscriptionStatus)
    grace_period_end_at = StrictTimeField(allow_null=True)
    usage_category_override = StrictChoiceField(UsageCategoryOverride, allow_null=True)
    payment_provider_id = StrictCharField(allow_null=True)
    orb_customer_id = StrictCharField(allow_null=True)
