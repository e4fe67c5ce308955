"""Installs our admin site as Django's default one."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class StaffAdminConfig(SimpleAdminConfig):
    """The admin without autodiscovery, so that no record of a third-party app registers itself on the staff plane."""

    default = False
    default_site = "apps.backoffice.site.StaffSite"
