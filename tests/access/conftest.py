"""The stage of the tables, which is built once for a module; what a test changes on it is undone."""

from __future__ import annotations

import pytest

from tests.access.world import World, make_world


@pytest.fixture(scope="module")
def stage(lasting_db: None) -> World:
    """What a module of tests builds once. A module that needs more has a `stage` of its own."""
    return make_world()


@pytest.fixture
def world(stage: World, db: None) -> World:
    return stage
