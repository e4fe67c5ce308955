"""Verbs of members: staff invite, change a role and remove, owners included (spec 02, Membership authority)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.backoffice.cells import dialog_link
from apps.backoffice.verbs import Change, ChangeGroup, Preview, ReasonForm, Verb
from apps.core.context import ExecutionContext
from apps.core.emails import LONGEST_EMAIL, email_to_find
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, UserId
from apps.core.rehearsals import rehearsal
from apps.tenants.memberships import ROLE_WORDS
from apps.tenants.models import Membership, Organization
from apps.tenants.selectors.users import user_by_email
from apps.tenants.services import member_end, member_invite, member_role_change
from apps.tenants.services.sign_in_links import has_signed_in


def _roles(*, without: str = "") -> list[tuple[str, str]]:
    """The roles with what each may do, the least first."""
    return [
        (role.value, f"{role.label}: {ROLE_WORDS[role]}") for role in reversed(MembershipRole) if role.value != without
    ]


class InviteMemberForm(ReasonForm):
    """Whom to invite, and as what."""

    email = forms.CharField(
        label="E-mail address",
        max_length=LONGEST_EMAIL,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "email", "autocomplete": "off", "spellcheck": "false"}),
    )
    name = forms.CharField(
        max_length=200,
        required=False,
        help_text="For somebody new. The name of a person who is known here stays as it is.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(choices=_roles, widget=UnfoldAdminSelectWidget())


class ChangeRoleForm(ReasonForm):
    """Another role than the member has."""

    role = forms.ChoiceField(label="New role", widget=UnfoldAdminSelectWidget())

    def prepare(self) -> None:
        self.fields["role"].choices = _roles(without=self.record.role)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberVerb(Verb):
    """A verb that is run and rolled back before its preview is shown: what is refused is refused there already."""

    def preview(self, context: ExecutionContext, record: Any, form: Any) -> Preview:
        """What the verb would do, by its own code; nothing of it stays."""
        if self.effect is None:
            raise AssertionError(f"{self.name} has no preview")
        with rehearsal():
            self.run(context, record, form)
        return self.effect(record, form)


def member_dialog(verb: Verb, membership_id: UUID, **query: str) -> SafeString:
    """The link that opens the verb's dialog from a list of members."""
    url = reverse(f"admin:tenants_membership_{verb.name}", args=(membership_id,))
    return dialog_link(f"{url}?{urlencode(query)}" if query else url, verb.label)


def _person(membership: Membership) -> str:
    return str(membership.user.name or membership.user.email)


def _may(role: MembershipRole) -> str:
    """What somebody with the role may do, as a sentence."""
    return f"{'An' if role.label[0] in 'AO' else 'A'} {role.label.lower()} {ROLE_WORDS[role]}."


def _invite(context: ExecutionContext, organization: Organization, form: InviteMemberForm) -> str:
    values = form.cleaned_data
    member = member_invite(
        context,
        organization_id=OrganizationId(organization.pk),
        email=values["email"],
        name=values["name"],
        role=MembershipRole(values["role"]),
        reason=values["reason"],
    )
    return f"{member.user.email} is {member.get_role_display().lower()} of {organization.name} now."


def _effect_of_invitation(organization: Organization, form: InviteMemberForm) -> Preview:
    role = MembershipRole(form.cleaned_data["role"])
    user = user_by_email(email_to_find(form.cleaned_data["email"]))
    known = "is known here" if user else "is new here and becomes a user"
    mail = "They get a mail that says so." if user and has_signed_in(user) else "They get a mail with a way to sign in."
    if organization.is_demo or organization.is_synthetic or (user is not None and not user.is_active):
        mail = "No mail is sent."
    lines = [_may(role), f"This person {known}. {mail}", "Products are answered with the new member at once."]
    return Preview([ChangeGroup("", [Change("Role", "No member", role.label)])], lines=lines)


def _change_role(context: ExecutionContext, membership: Membership, form: ChangeRoleForm) -> str:
    role = MembershipRole(form.cleaned_data["role"])
    member_role_change(context, **_whose(membership), role=role, reason=form.cleaned_data["reason"])
    return f"{_person(membership)} is {role.label.lower()} of {membership.organization.name} now."


def _effect_of_role(membership: Membership, form: ChangeRoleForm) -> Preview:
    role = MembershipRole(form.cleaned_data["role"])
    lines = [
        f"Until now: {_may(MembershipRole(membership.role))}",
        f"From the next click on: {_may(role)}",
        "A product's older report does not change it back.",
    ]
    return Preview([ChangeGroup("", [Change("Role", membership.get_role_display(), role.label)])], lines=lines)


def _remove(context: ExecutionContext, membership: Membership, form: ReasonForm) -> str:
    member_end(context, **_whose(membership), reason=form.cleaned_data["reason"])
    return f"{_person(membership)} is no member of {membership.organization.name} any more."


def _effect_of_removal(membership: Membership, form: ReasonForm) -> Preview:
    lines = [
        f"From the next click on this person sees nothing of {membership.organization.name}.",
        "Products that ask about them get the answer not_a_member.",
        "A product's older report does not bring them back; an invitation or a newer report does.",
    ]
    return Preview([ChangeGroup("", [Change("Role", membership.get_role_display(), "No member")])], lines=lines)


def _whose(membership: Membership) -> dict[str, Any]:
    return {"organization_id": OrganizationId(membership.organization_id), "user_id": UserId(membership.user_id)}


def _organization_of(membership: Membership, form: ReasonForm) -> Organization:
    return membership.organization


def _title(membership: Membership) -> str:
    return f"{_person(membership)} in {membership.organization.name}"


INVITE = MemberVerb(
    name="invite_member",
    label="Invite member",
    description="Makes somebody a member, and tells them by mail how to sign in.",
    submit="Invite",
    operation="member.invite",
    icon="person_add",
    form_class=InviteMemberForm,
    refusal=lambda organization: (
        "This organization is closed: nobody can be invited." if organization.closed_at else ""
    ),
    run=_invite,
    effect=_effect_of_invitation,
    organization_of=lambda organization, form: organization,
    eyebrow=lambda organization: str(organization.name),
)
REMOVE = MemberVerb(
    name="remove",
    label="Remove",
    description="Takes this person's access to the organization away. The person's account stays.",
    submit="Remove the member",
    operation="members.change",
    icon="person_remove",
    run=_remove,
    effect=_effect_of_removal,
    organization_of=_organization_of,
    eyebrow=_title,
    is_dangerous=True,
)
MEMBER_VERBS = (
    MemberVerb(
        name="change_role",
        label="Change role",
        description="Gives this member another role. An organization keeps at least one owner.",
        submit="Change the role",
        operation="members.change",
        icon="manage_accounts",
        form_class=ChangeRoleForm,
        run=_change_role,
        effect=_effect_of_role,
        organization_of=_organization_of,
        eyebrow=_title,
    ),
    REMOVE,
)
