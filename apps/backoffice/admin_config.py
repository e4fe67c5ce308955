"""Makes `StaffSite` Django's default admin site."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class StaffAdminConfig(SimpleAdminConfig):
    """The admin without autodiscovery, so that third-party apps can't add pages to the staff plane."""

    default = False
    default_site = "apps.backoffice.site.StaffSite"
