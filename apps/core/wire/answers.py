"""Parts of answers that more than one app gives."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.errors import Reason
from apps.core.wire.fields import StrictCharField
from apps.core.wire.serializers import AnswerSerializer


class ReasonAnswer(AnswerSerializer):
    rule = StrictCharField()
    outcome = StrictCharField()
    fact = StrictCharField()
    record = StrictCharField(allow_blank=True)


def reason_values(explanation: Sequence[Reason]) -> list[dict[str, str]]:
    """The chain of rules as a `ReasonAnswer` has it."""
    return [
        {"rule": reason.rule, "outcome": reason.outcome, "fact": reason.fact, "record": reason.record}
        for reason in explanation
    ]
