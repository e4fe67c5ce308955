"""The bodies of the tenants' API: requests, which refuse what they do not know, and answers (spec 09, Provisioning)."""

from __future__ import annotations

from django.core.exceptions import ValidationError as DjangoValidationError

from apps.core.enums import MembershipRole
from apps.core.states import JobRunStatus
from apps.core.wire.answers import ReasonAnswer
from apps.core.wire.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictEmailField,
    StrictSlugField,
    StrictUUIDField,
)
from apps.core.wire.serializers import AnswerSerializer, StrictSerializer
from apps.core.wire.values import StrictObjectField, StrictTimeField
from apps.tenants.enums import OrganizationKind
from apps.tenants.models.organizations import validate_time_zone


class TimeZoneField(StrictCharField):
    """The name of a place in the IANA time-zone database, or UTC; any other text is an impossible value."""

    impossible_codes = StrictCharField.impossible_codes | {"unknown_time_zone"}
    default_error_messages = {  # noqa: RUF012 - DRF's own form
        "unknown_time_zone": "`{given}` is no IANA time zone of a place; use a name such as Europe/Berlin, or UTC.",
    }

    def to_internal_value(self, data: object) -> str:
        name = super().to_internal_value(data)
        try:
            validate_time_zone(name)
        except DjangoValidationError:
            self.fail("unknown_time_zone", given=name)
        return name


class UserBody(StrictSerializer):
    id = StrictUUIDField()
    email = StrictEmailField()
    name = StrictCharField(most=200, allow_blank=True)


class OrganizationBody(StrictSerializer):
    id = StrictUUIDField()
    name = StrictCharField(most=200)
    slug = StrictSlugField(most=80, required=False)
    kind = StrictChoiceField(OrganizationKind)
    time_zone = TimeZoneField(most=64, required=False)
    billing_email = StrictEmailField(required=False)
    owner_user_id = StrictUUIDField(required=False)


class WorkspaceBody(StrictSerializer):
    id = StrictUUIDField()
    organization_id = StrictUUIDField()
    name = StrictCharField(most=200)
    slug = StrictSlugField(most=80, required=False)


class MemberBody(StrictSerializer):
    user_id = StrictUUIDField()
    role = StrictChoiceField(MembershipRole)
    changed_at = StrictTimeField(required=False)


class RelationBody(StrictSerializer):
    product = StrictSlugField(most=40)


class PortalSessionBody(StrictSerializer):
    user_id = StrictUUIDField()
    workspace_id = StrictUUIDField()
    return_url = StrictCharField(
        most=2000, required=False, help_text="Where the way back leads: https, at a host registered for the product."
    )


class JobBody(StrictSerializer):
    organization_id = StrictUUIDField(required=False)
    include_demo = StrictBooleanField(required=False)


class UserAnswer(AnswerSerializer):
    id = StrictUUIDField()
    email = StrictEmailField()
    name = StrictCharField(allow_blank=True)
    created = StrictBooleanField()
    applied = StrictBooleanField(help_text="Whether the user now is as this call said.")


class OrganizationAnswer(AnswerSerializer):
    id = StrictUUIDField()
    name = StrictCharField()
    slug = StrictSlugField()
    kind = StrictChoiceField(OrganizationKind)
    time_zone = StrictCharField()
    billing_email = StrictEmailField(allow_null=True)
    is_demo = StrictBooleanField()
    created = StrictBooleanField()


class WorkspaceAnswer(AnswerSerializer):
    id = StrictUUIDField()
    organization_id = StrictUUIDField()
    name = StrictCharField()
    slug = StrictSlugField()
    created = StrictBooleanField()


class MemberAnswer(AnswerSerializer):
    organization_id = StrictUUIDField()
    user_id = StrictUUIDField()
    role = StrictChoiceField(MembershipRole)
    changed_at = StrictTimeField(
        help_text="Since when the membership has this role; for a removed member, since when not."
    )


class MemberUpsertAnswer(MemberAnswer):
    created = StrictBooleanField()
    applied = StrictBooleanField(help_text="False when the report changed nothing; `explanation` says why.")
    explanation = ReasonAnswer(many=True, help_text="Why the report changed nothing; else empty.")


class MemberRemovalAnswer(AnswerSerializer):
    applied = StrictBooleanField(help_text="False: the person is still a member; `explanation` says why.")
    explanation = ReasonAnswer(many=True)


class MembersPage(AnswerSerializer):
    members = MemberAnswer(many=True, help_text="In the order of the users' ids.")
    next_cursor = StrictCharField(allow_null=True)


class RelationAnswer(AnswerSerializer):
    organization_id = StrictUUIDField()
    product = StrictSlugField()
    created = StrictBooleanField()


class PortalSessionAnswer(AnswerSerializer):
    url = StrictCharField(help_text="Redirect the person's browser there. Works once.")
    expires_at = StrictTimeField(help_text="Until when the link can be used; the visit then lasts an hour.")


class JobRunAnswer(AnswerSerializer):
    job_run_id = StrictUUIDField()
    name = StrictSlugField()
    status = StrictChoiceField(JobRunStatus)
    error = StrictCharField(allow_blank=True, help_text="Why the run was skipped or failed; else empty.")


class JobRunDetailAnswer(JobRunAnswer):
    slot = StrictCharField(help_text="The scheduled moment in UTC, or `manual:` and a UUID.")
    organization_id = StrictUUIDField(allow_null=True)
    counts = StrictObjectField()
    started_at = StrictTimeField(allow_null=True)
    finished_at = StrictTimeField(allow_null=True)
