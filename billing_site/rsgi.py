"""The entry point that granian serves: the WSGI application, behind the front that no client can hold up."""

from __future__ import annotations

from django.conf import settings

from billing_site.wsgi import application as wsgi_application

# isort: split
# What the front imports wants Django set up, as the line above does.
from billing_site.web.front import Front

application = Front(wsgi_application, threads=settings.WEB_THREADS)
