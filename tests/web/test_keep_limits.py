"""The server of these tests shortens the product's limits in its own process, and in no other."""

from __future__ import annotations

import importlib

import pytest

from billing_site.web import limits


def test_no_test_loads_the_server_that_changes_them() -> None:
    before = dict(vars(limits))
    with pytest.raises(ImportError, match="Only a web server may load this module"):
        importlib.import_module("tests.web.echo")
    assert vars(limits) == before
