"""The product's settings with the naive view alone, and without any middleware."""

from __future__ import annotations

import billing_site.settings as product

vars().update({name: value for name, value in vars(product).items() if name.isupper()})
ROOT_URLCONF = "tests.benchmarks.naive"
MIDDLEWARE: list[str] = []
REST_FRAMEWORK: dict[str, object] = {}
