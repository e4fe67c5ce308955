"""The words of the e-mails about signing in."""

from __future__ import annotations

from datetime import datetime

from django.urls import reverse

from apps.core.mails import Mail, moment_in_zone, public_address
from apps.tenants.enums import LinkKind
from apps.tenants.models import Organization, SignInLink, User

# Somebody else chose these names: in a subject line a long one could carry a message of its own.
_LONGEST_NAME = 60


def link_mail(link: SignInLink, *, token: str, time_zone: str) -> Mail:
    """The mail that carries the link."""
    until = moment_in_zone(link.expires_at, time_zone)
    url = public_address(reverse("sign-in-link", args=[token]))
    once = f"The link works once, until {until}."
    match LinkKind(link.kind):
        case LinkKind.INVITATION:
            return _invitation(link, url, once)
        case LinkKind.PASSWORD_RESET:
            return Mail(
                subject="Choose a new password",
                paragraphs=(_hello(link.user), f"You can choose a new password for {link.email} here."),
                url=url,
                link_text="Choose a new password",
                after=(f"{once} If you did not ask for this, you can ignore this mail: nothing has changed.",),
            )
        case _:
            return Mail(
                subject="Your sign-in link",
                paragraphs=(_hello(link.user), f"This link signs you in to the billing pages as {link.email}."),
                url=url,
                link_text="Sign in",
                after=(f"{once} Do not pass it on: whoever has it can sign in as you.",),
            )


def _invitation(link: SignInLink, url: str, once: str) -> Mail:
    name = _short(link.organization.name) if link.organization else "your organization"
    return Mail(
        subject=f"Your access to the billing pages of {name}",
        paragraphs=(
            _hello(link.user),
            f"You are now a member of {name}. Its billing pages show usage, credits and invoices.",
            f"To open them, choose a password for {link.email}.",
        ),
        url=url,
        link_text="Choose a password",
        after=(f"{once} If you did not expect this, you can ignore this mail.",),
    )


def new_member_mail(user: User, organization: Organization) -> Mail:
    """Tells somebody who can sign in already that they are a member of one more organization."""
    name = _short(organization.name)
    return Mail(
        subject=f"Your access to the billing pages of {name}",
        paragraphs=(
            _hello(user),
            f"You are now a member of {name}. Its billing pages show usage, credits and invoices.",
            f"Sign in as {user.email}, as you always do.",
        ),
        url=public_address(reverse("billing-home")),
        link_text="Open the billing pages",
        after=("If you did not expect this, you can ignore this mail.",),
    )


def password_changed_mail(user: User, *, moment: datetime, time_zone: str) -> Mail:
    """Tells the person that the password was changed, in case it was somebody else."""
    when = moment_in_zone(moment, time_zone)
    return Mail(
        subject="Your password was changed",
        paragraphs=(
            _hello(user),
            f"The password of {user.email} was changed on {when}. Every other session has ended.",
            "If that was you, there is nothing to do. If it was not, choose a new password now.",
        ),
        url=public_address(reverse("forgot-password")),
        link_text="Choose a new password",
    )


def staff_account_mail(user: User) -> Mail:
    """Answers a forgotten password of a staff account, which no e-mail may open."""
    return Mail(
        subject="Your staff account",
        paragraphs=(
            _hello(user),
            f"Someone asked for a new password for {user.email}, which is a staff account.",
            "No e-mail changes the password of one. Ask a platform admin for a new one.",
        ),
        url=public_address(reverse("admin:login")),
        link_text="Open the back office",
        after=("If you did not ask for this, you can ignore this mail: nothing has changed.",),
    )


def zone_of(organizations: list[Organization]) -> str:
    """The time zone in which the person reads times: that of their first organization."""
    return organizations[0].time_zone if organizations else "UTC"


def _hello(user: User) -> str:
    return f"Hello {_short(user.name)}," if user.name.strip() else "Hello,"


def _short(name: str) -> str:
    text = " ".join(name.split())
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
