"""Django's WSGI application, which `billing_site.rsgi` serves."""

from __future__ import annotations

import os

import django
from django.urls import get_resolver
from django.utils.module_loading import import_string

from apps.core.postgresql.probe import refuse_forgetful_pooler
from billing_site import work
from billing_site.environment import exit_if_misconfigured

work.kind = "web"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
exit_if_misconfigured()

django.setup(set_prefix=False)
application = import_string("apps.core.input_text.InputTextHandler")()
refuse_forgetful_pooler()
# The routes with all that their views import, now rather than within the first request.
len(get_resolver().url_patterns)
