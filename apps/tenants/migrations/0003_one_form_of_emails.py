"""Users' e-mail addresses from before one mailbox had one spelling are brought into it.

Nobody is merged. Where another user has the mailbox already, or the text is no address that we can keep, the row stays
as it is: that person is found by id, can't sign in by e-mail, and is named in what this migration prints. Give the
person another address with `users:upsert`.
"""

from __future__ import annotations

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from apps.core.emails import EmailAddressError, canonical_email

AT_ONCE = 1_000
# What is ASCII and in lower case is in the form already: the rest is few.
OLD_FORM = r"[^!-~]"


def bring_into_one_form(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    users = apps.get_model("tenants", "User").objects.using(schema_editor.connection.alias)
    # The first of two who share a mailbox gets it.
    for user in users.filter(email__regex=OLD_FORM).order_by("created_at", "pk").iterator(AT_ONCE):
        try:
            email = canonical_email(user.email)
        except EmailAddressError as error:
            print(f"User {user.pk} keeps {user.email!a}: {error}")
            continue
        other = users.filter(email=email).first()
        if other is not None:
            print(f"User {user.pk} keeps {user.email!a}: user {other.pk} has the same mailbox, {email}.")
            continue
        users.filter(pk=user.pk).update(email=email)


class Migration(migrations.Migration):
    dependencies = [("tenants", "0002_platform_roles")]
    operations = [migrations.RunPython(bring_into_one_form, migrations.RunPython.noop, elidable=True)]
