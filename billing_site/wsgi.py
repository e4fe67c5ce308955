"""The WSGI entry point that granian serves."""

from __future__ import annotations

import gc
import os

import django
from django.urls import get_resolver
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")

django.setup(set_prefix=False)
application = import_string("apps.core.input_text.InputTextHandler")()
# The routes with all that their views import, now rather than within the first request.
len(get_resolver().url_patterns)
# What is loaded by now stays for ever. Left to the garbage collector it would be looked through again and again, for a
# tenth of a second in which no thread of this worker answers anything.
gc.collect()
gc.freeze()
