"""Who may open or read a person's own account: a pure rule (spec 05, Account, grants, entries).

`credits_may_use_person` in the facts of credits says the same in SQL, for the hot paths; one table of cases holds both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PersonalFacts:
    """How a product is related to a user."""

    user_exists: bool
    is_creator: bool = False
    shares_organization: bool = False
    is_identity_service: bool = False


def may_use_personal_account(facts: PersonalFacts) -> bool:
    """The product that created the user may, and so may one that shares an organization with them.

    Two such products share the account. For every other product the user is as one who does not exist.
    """
    return facts.user_exists and (facts.is_creator or facts.shares_organization or facts.is_identity_service)
