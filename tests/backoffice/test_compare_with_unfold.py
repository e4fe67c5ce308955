"""Where a template of ours stands in for one of django-unfold's, an upgrade that changes theirs is noticed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import unfold

from tests.architecture.sources import PROJECT

THEIRS = Path(unfold.__file__).parent / "templates"
# What ours was last compared with. Where one differs: compare the two, carry over what changed, note the new digest.
COMPARED_WITH = {
    "admin/base.html": "2ce9250b3c649e3a",
    "unfold/helpers/empty_results.html": "5f4727a37a99da76",
    "unfold/helpers/modal.html": "fa0832c6ded6a26b",
    "unfold/helpers/navigation_user.html": "4c9ba58b3f215326",
    "unfold/helpers/search.html": "91996c27181d14ad",
    "unfold/helpers/welcomemsg.html": "e8eab02522ba2319",
}


def test_each_template_that_stands_in_was_compared_with_the_installed_one() -> None:
    ours = {path.relative_to(PROJECT / "templates").as_posix() for path in (PROJECT / "templates").rglob("*.html")}
    replaced = sorted(name for name in ours if (THEIRS / name).exists())
    found = {name: hashlib.sha256((THEIRS / name).read_bytes()).hexdigest()[:16] for name in replaced}
    assert found == COMPARED_WITH
