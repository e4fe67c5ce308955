"""The README and `.env.example` name every setting there is, and no other."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys

from billing_site.launcher.places import PROJECT

# Read before the settings are: which environment, where the state lies, and the launcher's own port.
READ_ELSEWHERE = {"DJANGO_ENV", "COUNTINGHOUSE_STATE_DIR", "PORT"}
EXAMPLE = PROJECT / ".env.example"


def settings_read() -> set[str]:
    text = (PROJECT / "billing_site" / "variables.py").read_text(encoding="utf-8")
    return {*re.findall(r'(?:env\.(?:read|require|text)|_address)\(\s*"([A-Z_]+)"', text), *READ_ELSEWHERE}


def settings_in_readme() -> list[str]:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[A-Z].*?) \|", text, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([A-Z_]+)`", cell)]


def test_the_readme_names_every_setting_once() -> None:
    assert sorted(settings_in_readme()) == sorted(settings_read())


def test_the_example_names_every_setting_once() -> None:
    names = re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(settings_read())


def test_a_shell_reads_the_example_and_every_value_has_the_right_form() -> None:
    text = re.sub(r"^#(?=[A-Z_]+=)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    values = subprocess.run(
        ["/bin/sh", "-c", f"set -eua\n{text}\nexec env"], capture_output=True, text=True, check=True, env={}
    ).stdout
    given = dict(line.partition("=")[::2] for line in values.splitlines())
    assert given["DEFAULT_FROM_EMAIL"] == "Billing <billing@example.com>"
    # Whoever deploys makes these.
    secrets = {
        "DJANGO_SECRET_KEY": "".join(map(chr, range(48, 110))),
        "CREDENTIAL_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode(),
        "COUNTINGHOUSE_STATE_DIR": os.environ.get("COUNTINGHOUSE_STATE_DIR", ""),
    }
    # Stand-ins for providers are no part of a production.
    real = {name: value for name, value in given.items() if not value.startswith("http://localhost")}
    environment = {**real, **secrets, "OIDC_CLIENT_SECRET": "s" * 40, "GOOGLE_CLIENT_ID": "", "STRIPE_SECRET_KEY": ""}
    environment["STRIPE_WEBHOOK_SECRETS"] = "whsec_" + "a" * 32
    answer = subprocess.run(
        [sys.executable, "-c", "import billing_site.variables"],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
