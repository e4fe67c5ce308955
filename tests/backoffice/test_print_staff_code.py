"""`manage.py staff_code`: a one-time code for members of staff, and a sentence for anybody else."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from apps.backoffice.seeding.tenants import seed_staff
from apps.tenants.models import User
from tests.contexts import console_context
from tests.factories.tenants import make_signing_in_user

pytestmark = pytest.mark.django_db


def test_a_member_of_staff_gets_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    seed_staff(console_context(), password="a-long-sample-password")
    call_command("staff_code", "pat@countinghouse.example")
    assert capsys.readouterr().out.strip().isdecimal()


def test_an_unknown_address_a_tenant_and_a_new_member_are_told_apart() -> None:
    with pytest.raises(CommandError, match=r"Nobody here has the address nobody@x\.example.*create_staff"):
        call_command("staff_code", "nobody@x.example")
    tenant = make_signing_in_user()
    with pytest.raises(CommandError, match="no member of staff and signs in without a code"):
        call_command("staff_code", tenant.email)
    User.objects.filter(pk=tenant.pk).update(is_staff=True)
    with pytest.raises(CommandError, match="no second factor yet"):
        call_command("staff_code", tenant.email)
