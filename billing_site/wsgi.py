"""Django's WSGI application, which `billing_site.rsgi` serves."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

application = get_wsgi_application()
# The routes with all that their views import, now rather than within the first request.
len(get_resolver().url_patterns)
