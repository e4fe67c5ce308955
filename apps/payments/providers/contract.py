"""What the provider clients have in common: one error, which says whether the same call can ever go well."""

from __future__ import annotations

from apps.core.outgoing import Answer, Call, OutgoingError, outgoing_call

LONGEST_CALL_SECONDS = 15


class ProviderCallError(Exception):
    """A call to a provider failed; `sentence` holds no secret and may be shown to staff.

    `is_permanent`: the same call can't go well later. `is_unknown`: the provider may have carried it out although no
    answer came, so that it must be asked before anything is made a second time.
    """

    def __init__(
        self,
        sentence: str,
        *,
        is_permanent: bool = False,
        is_unknown: bool = False,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.is_permanent = is_permanent
        self.is_unknown = is_unknown
        self.retry_after_seconds = retry_after_seconds


def ask_provider(label: str, call: Call) -> Answer:
    """The answer, if it is a success or a 4xx that the caller wants to read; raises `ProviderCallError` otherwise."""
    try:
        answer = outgoing_call(call)
    except OutgoingError as error:
        raise ProviderCallError(
            f"{label}: {error.sentence}", is_permanent=error.is_permanent, is_unknown=not error.is_permanent
        ) from None
    if answer.is_worth_repeating:
        wait = answer.retry_after
        raise ProviderCallError(
            f"{label} answered {answer.status}.",
            is_unknown=True,
            retry_after_seconds=int(wait.total_seconds()) if wait is not None else None,
        )
    if answer.status in {401, 403}:
        # Not for good: it goes well once the operator has corrected the key.
        raise ProviderCallError(f"{label} refuses our key ({answer.status}). Correct it in the settings.")
    return answer
