"""A setting that can't be used is refused with one sentence that names it, and all of them are refused at once."""

from __future__ import annotations

import base64
import json
import os
import string
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from billing_site.launcher.places import PROJECT
from tests.faults.stacks import free_port
from tests.gate import production

_DATABASE = "postgres://u:p@h/n"
_ZEROS = base64.urlsafe_b64encode(bytes(32)).decode()
_SPEAKING = base64.urlsafe_b64encode(b"0123456" * 4 + b"0123").decode()

# What must be set beside a variable.
_CLIENT = {"OIDC_CLIENT_ID": "client", "OIDC_CLIENT_SECRET": "secret"}
_FELLOWS = {
    "OIDC_ISSUER": _CLIENT,
    "STAFF_OIDC": {"OIDC_ISSUER": "https://id.example.com", "STAFF_OIDC_PROOF": "amr=mfa", **_CLIENT},
}
_REQUIRED = sorted(production().keys() - {"DJANGO_ENV"})

# Variable, value, words of the refusal. None: taken.
Case = tuple[str, str, str | None]
ANYWHERE: list[Case] = [
    ("DJANGO_ENV", "prod", "must be one of development, test, production"),
    ("DJANGO_ENV", "Production", "must be one of"),
    ("DATABASE_URL", "mysql://u:hidden@h/n", "begins with 'mysql'"),
    ("DATABASE_URL", "sqlite:", "begins with 'sqlite'"),
    ("DATABASE_URL", "sqlite:////tmp/x.db", "begins with 'sqlite'"),
    ("DATABASE_URL", "postgis://u@h/n", "begins with 'postgis'"),
    ("DATABASE_URL", "localhost/n", "begins with ''"),
    ("DATABASE_URL", "h:5432/n", "begins with"),
    ("DATABASE_URL", "postgres://u:hidden@h:port/n", "can't be read"),
    ("DATABASE_URL", "postgres://u:hidden@h:99999/n", "can't be read"),
    ("DATABASE_URL", "postgres://u:hid/den@h/n", "%2F"),
    ("DATABASE_URL", "postgres://u:hidden@[::1/n", "begins with ''"),
    ("DATABASE_URL", "postgres://u:hidden@h", "names no database"),
    ("DATABASE_URL", "postgres://u:hidden@h/", "names no database"),
    ("DATABASE_URL", "postgres://u:hidden@h/n?sslmod=require", "sslmod"),
    ("DATABASE_URL", f"  {_DATABASE}\r\n", None),
    ("DATABASE_URL", "postgresql://u:p%40ss@h:5432/n?sslmode=require", None),
    ("DATABASE_URL", "postgres://u:p@a:5432,b:5432/n?target_session_attrs=read-write", None),
    ("DATABASE_URL", "postgres://u@/n?host=%2Fvar%2Frun%2Fpostgresql", None),
    ("CELERY_BROKER_URL", "http://h:6379", "begins with 'http'"),
    ("CELERY_BROKER_URL", "h:6379", "begins with"),
    ("CELERY_BROKER_URL", "redis", "begins with ''"),
    ("CELERY_BROKER_URL", "redis://:hidden@h:port/0", "has a port that is no number"),
    ("CELERY_BROKER_URL", "rediss://:p@h:6380/0", None),
    ("CELERY_BROKER_URL", "amqp://u:p@a:5672//;amqp://u:p@b:5672//", None),
    ("CREDENTIAL_KEYS", "hidden", "not base64url text of 32 bytes (number 1)"),
    ("CREDENTIAL_KEYS", f"{_ZEROS},c2hvcnQ=", "(number 2)"),
    ("CREDENTIAL_KEYS", f"{_ZEROS[:-1]}ü", "(number 1)"),
    ("CREDENTIAL_KEYS", ",", "holds no key"),
    ("DJANGO_ALLOWED_HOSTS", "https://billing.example.com", "list host names alone"),
    ("DJANGO_ALLOWED_HOSTS", "billing.example.com/", "list host names alone"),
    ("DJANGO_ALLOWED_HOSTS", "billing.example.com billing2.example.com", "list host names alone"),
    ("DJANGO_ALLOWED_HOSTS", "billing.example.com, 10.0.0.7,[::1],.internal.example.com", None),
    ("PUBLIC_URL", "billing.example.com", "must be an address"),
    ("PUBLIC_URL", "https://localhost/app", "scheme and host alone"),
    ("PUBLIC_URL", "https://elsewhere.example.net", "not among DJANGO_ALLOWED_HOSTS"),
    ("PUBLIC_URL", "http://127.0.0.1:8080/", None),
    ("INVITATION_MAILS", "perhaps", "must be true or false"),
    ("STAFF_OIDC", "perhaps", "must be true or false"),
    ("STAFF_OIDC", "true", None),
    ("STAFF_OIDC_PROOF", "mfa", "it must be amr=mfa or acr="),
    ("STAFF_OIDC_PROOF", "amr=", "it must be amr=mfa or acr="),
    ("STAFF_OIDC_PROOF", "amr=otp mfa", "it must be amr=mfa or acr="),
    ("STAFF_OIDC_PROOF", "amr=ü", "it must be amr=mfa or acr="),
    ("STAFF_OIDC_PROOF", "sub=mfa", "it must be amr=mfa or acr="),
    ("STAFF_OIDC_PROOF", f"acr={'x' * 201}", "it must be amr=mfa or acr="),
    ("STAFF_OIDC_PROOF", "amr=pwd", "proves no second factor"),
    ("STAFF_OIDC_PROOF", "acr=0", "proves no second factor"),
    ("STAFF_OIDC_PROOF", "acr=https://id.example.com/loa?level=2", None),
    ("STAFF_OIDC_PROOF", "acr=urn:mace:incommon:iap:silver", None),
    ("PASSWORD_SIGN_IN", "perhaps", "must be true or false"),
    ("DJANGO_CSRF_TRUSTED_ORIGINS", "billing.example.com", "takes origins such as"),
    ("DJANGO_CSRF_TRUSTED_ORIGINS", "https://billing.example.com/", "takes origins such as"),
    ("DJANGO_CSRF_TRUSTED_ORIGINS", "https://billing.example.com:8443,https://*.example.com", None),
    ("TRUSTED_PROXIES", "true", "takes networks such as"),
    ("TRUSTED_PROXIES", "10.0.0.300", "takes networks such as"),
    ("TRUSTED_PROXIES", "0.0.0.0/0", "which holds everybody"),
    ("TRUSTED_PROXIES", "10.0.0.7, ::/0", "which holds everybody"),
    ("TRUSTED_PROXIES", "10.0.0.7, fd00::/8", None),
    ("TRUSTED_PROXY", "true", "is not read any more"),
    ("API_RATE_LIMIT_PER_MINUTE", "many", "must be a whole number"),
    ("API_RATE_LIMIT_PER_MINUTE", "-1", "must be a whole number"),
    ("API_RATE_LIMIT_PER_MINUTE", "1e3", "must be a whole number"),
    ("API_RATE_LIMIT_PER_MINUTE", "٣", "must be a whole number"),
    ("API_RATE_LIMIT_PER_MINUTE", "0", None),
    ("WEB_WORKERS", "0", "must be a whole number from 1 to 64"),
    ("WEB_THREADS", "65", "must be a whole number from 1 to 64"),
    ("WEB_THREADS", "8", None),
    ("LOG_LEVEL", "loud", "must be one of DEBUG, INFO"),
    ("LOG_LEVEL", "warning", None),
    ("METRICS_ALLOWED_NETWORKS", "10.0.0.300", "takes networks such as"),
    ("METRICS_ALLOWED_NETWORKS", "prometheus", "takes networks such as"),
    ("METRICS_ALLOWED_NETWORKS", "10.0.0.7/8, fd00::/8", None),
    ("OUTBOUND_ALLOWLIST", "http://feed.internal", "takes host names or networks"),
    ("OUTBOUND_ALLOWLIST", "feed.internal:8080", "takes host names or networks"),
    ("OUTBOUND_ALLOWLIST", "feed.internal, 10.0.0.0/8", None),
    ("EMAIL_URL", "mail.example.com", "can't be read"),
    ("EMAIL_URL", "smtp://:hidden@mail.example.com:port", "can't be read"),
    ("EMAIL_URL", "smtp://", "names no host"),
    ("EMAIL_URL", "smtp+tls://u%40x:p@mail.example.com:587", None),
    ("DEFAULT_FROM_EMAIL", "billing", "takes an address such as"),
    ("DEFAULT_FROM_EMAIL", "Billing <billing@>", "takes an address such as"),
    ("DEFAULT_FROM_EMAIL", "Billing <billing@example.com>", None),
    ("STRIPE_SECRET_KEY", "pk_live_hidden", "publishable key"),
    ("STRIPE_SECRET_KEY", "sk_live_hid den", "holds white space"),
    ("STRIPE_SECRET_KEY", "rk_live_x", None),
    ("STRIPE_WEBHOOK_SECRETS", "whsec_a whsec_hidden", "holds white space"),
    ("STRIPE_WEBHOOK_SECRETS", "whsec_a, whsec_b", None),
    ("ORB_API_KEY", "hid\u200bden", "holds white space"),
    ("SEGMENT_WRITE_KEY", "hid den", "holds white space"),
    ("STRIPE_API_BASE", "api.stripe.com", "must be an address such as"),
    ("STRIPE_API_BASE", "ftp://api.stripe.com", "must be an address such as"),
    ("STRIPE_API_BASE", "https://u:hidden@api.stripe.com", "must be an address such as"),
    ("ORB_API_BASE", "https://", "must be an address such as"),
    ("GOOGLE_TOKEN_URL", "https://h:port/token", "must be an address such as"),
    ("STRIPE_API_BASE", "https://api.stripe.com", None),
    ("OIDC_ISSUER", "id.example.com", "must be an address such as"),
    ("OIDC_ISSUER", "https://u:hidden@id.example.com", "must be an address such as"),
    ("OIDC_ISSUER", "https://id.example.com?x=1", "must be an address such as"),
    ("GOOGLE_CLIENT_ID", "alone", "GOOGLE_CLIENT_SECRET is not set, but GOOGLE_CLIENT_ID is"),
    ("GOOGLE_CLIENT_SECRET", "alone", "GOOGLE_CLIENT_ID is not set, but GOOGLE_CLIENT_SECRET is"),
]
IN_PRODUCTION: list[Case] = [
    ("DJANGO_SECRET_KEY", "hidden", "too weak for production"),
    ("DJANGO_SECRET_KEY", "ab" * 40, "too weak for production"),
    ("DJANGO_SECRET_KEY", f"django-insecure-{string.ascii_letters}", "too weak for production"),
    ("CREDENTIAL_KEYS", _ZEROS, "not random"),
    ("CREDENTIAL_KEYS", _SPEAKING, "not random"),
    ("DJANGO_ALLOWED_HOSTS", "*", "lets in names that are not yours"),
    ("DJANGO_ALLOWED_HOSTS", "billing.example.com,.com", "lets in names that are not yours"),
    ("DJANGO_ALLOWED_HOSTS", ".co.uk", "lets in names that are not yours"),
    ("DJANGO_ALLOWED_HOSTS", ".", "list host names alone"),
    ("DJANGO_ALLOWED_HOSTS", ".example.com", None),
    ("OIDC_ISSUER", "http://id.example.com", "must begin with https://"),
    ("PUBLIC_URL", "http://billing.example.com", "must begin with https://"),
    ("METRICS_ALLOWED_NETWORKS", "0.0.0.0/0", "lets in strangers"),
    ("METRICS_ALLOWED_NETWORKS", "10.0.0.0/8,0.0.0.0/1", "lets in strangers"),
    ("METRICS_ALLOWED_NETWORKS", "::/0", "lets in strangers"),
    ("METRICS_ALLOWED_NETWORKS", "203.0.113.7/32,10.0.0.0/8", None),
    ("CELERY_BROKER_URL", "memory://", "other processes can't read"),
    ("CELERY_BROKER_URL", "filesystem://", "other processes can't read"),
    ("EMAIL_URL", "consolemail://", "sends no mail to anybody"),
    ("EMAIL_URL", "filemail:///var/mail", "sends no mail to anybody"),
    ("EMAIL_URL", "dummymail://", "sends no mail to anybody"),
    *(
        (variable, "http://stand-in.example.com", "must begin with https://")
        for variable in (
            "STRIPE_API_BASE", "ORB_API_BASE", "SEGMENT_API_BASE",
            "GOOGLE_API_BASE", "GOOGLE_TOKEN_URL", "GOOGLE_AUTHORIZE_URL",
        )
    ),
    *((variable, "", "is not set, and DJANGO_ENV=production has no default") for variable in _REQUIRED),
]  # fmt: skip


_READ_EACH = """
import json, os, runpy, sys
from billing_site.environment import ConfigurationError
answers = []
for variables in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(variables)
    try:
        runpy.run_path("billing_site/variables.py")
        answers.append("")
    except ConfigurationError as error:
        answers.append(str(error))
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> dict[Case, str]:
    """What the settings say of each case, read by one process of their own."""
    state = str(tmp_path_factory.mktemp("state"))
    cases: list[tuple[Case, dict[str, str]]] = [(case, _FELLOWS.get(case[0], {})) for case in ANYWHERE]
    cases += [(case, production() | _FELLOWS.get(case[0], {})) for case in IN_PRODUCTION]
    environments = [
        {**others, "COUNTINGHOUSE_STATE_DIR": state, "PATH": os.defpath, variable: value}
        for (variable, value, _), others in cases
    ]
    done = _python(["-c", _READ_EACH], {"COUNTINGHOUSE_STATE_DIR": state}, asked=json.dumps(environments))
    assert done.returncode == 0, done.stderr
    return dict(zip([case for case, _ in cases], json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("case", [*ANYWHERE, *IN_PRODUCTION], ids=lambda case: f"{case[0]}={case[1][:30]}")
def test_a_setting_is_taken_or_refused_by_its_name(problems: dict[Case, str], case: Case) -> None:
    variable, _, refusal = case
    said = problems[case]
    if refusal is None:
        assert said == ""
    else:
        [sentence] = said.splitlines()
        assert refusal in sentence
        assert variable in sentence
        assert sentence[0].isupper()
        assert "hidden" not in sentence  # passwords and keys are never shown


def test_staff_by_the_identity_service_need_the_service_and_a_proof(tmp_path: Path) -> None:
    service = {"OIDC_ISSUER": "https://id.example.com", **_CLIENT}
    on = {"STAFF_OIDC": "true", "COUNTINGHOUSE_STATE_DIR": str(tmp_path)}
    environments = [{**on, "STAFF_OIDC_PROOF": "amr=mfa"}, {**on, **service}, {**on, **service, "STAFF_OIDC": "off"}]
    without_service, without_proof, off = json.loads(
        _python(["-c", _READ_EACH], {}, asked=json.dumps(environments)).stdout
    )
    assert (
        without_service == "OIDC_ISSUER is not set, but STAFF_OIDC is true. Set OIDC_ISSUER, or leave STAFF_OIDC out."
    )
    assert without_proof.startswith("STAFF_OIDC_PROOF is not set, but STAFF_OIDC is true. Set it to amr=mfa or")
    assert (len(without_proof.splitlines()), off) == (1, "")


def test_what_only_production_refuses_is_taken_elsewhere(problems: dict[Case, str], tmp_path: Path) -> None:
    taken = [case for case in IN_PRODUCTION if case[1] and case[:2] != ("DJANGO_ALLOWED_HOSTS", ".")]
    others = {"COUNTINGHOUSE_STATE_DIR": str(tmp_path), "DJANGO_ALLOWED_HOSTS": "billing.example.com"}
    environments = [{**others, **_FELLOWS.get(case[0], {}), case[0]: case[1]} for case in taken]
    done = _python(["-c", _READ_EACH], {"COUNTINGHOUSE_STATE_DIR": str(tmp_path)}, asked=json.dumps(environments))
    assert json.loads(done.stdout) == [""] * len(taken)


ENTRY_POINTS = {
    "manage.py": ["manage.py", "migrate"],
    "the launcher": ["-m", "billing_site.launcher", "run"],
    "the worker": ["-m", "celery", "--app=billing_site", "worker"],
    "the web server": ["-c", "import billing_site.wsgi"],
}


@pytest.mark.parametrize("arguments", ENTRY_POINTS.values(), ids=ENTRY_POINTS)
def test_every_entry_point_says_all_at_once_and_starts_nothing(arguments: list[str], tmp_path: Path) -> None:
    state = tmp_path / "state"
    wrong = {"DATABASE_URL": "mysql://h/n", "LOG_LEVEL": "loud", "CREDENTIAL_KEYS": "x"}
    done = _python(arguments, {"COUNTINGHOUSE_STATE_DIR": str(state)} | wrong)
    assert done.returncode == 1
    assert done.stdout == ""
    [first, *sentences] = done.stderr.splitlines()
    assert first == "The configuration can't be used:"
    assert sorted(sentence.split()[0] for sentence in sentences) == sorted(wrong)
    assert not (state / "postgres").exists()


SILENT_SERVERS = [
    ({"DATABASE_URL": "postgres://u:hidden@127.0.0.1:1/n"}, ["DATABASE_URL"]),
    ({"CELERY_BROKER_URL": "redis://:hidden@127.0.0.1:1/0"}, ["CELERY_BROKER_URL"]),
    ({"CELERY_BROKER_URL": "amqp://u:hidden@127.0.0.1:1//"}, ["CELERY_BROKER_URL"]),
    (
        {"DATABASE_URL": "postgres://u:hidden@127.0.0.1:1/n", "CELERY_BROKER_URL": "redis://:hidden@127.0.0.1:1/0"},
        ["DATABASE_URL", "CELERY_BROKER_URL"],
    ),
    # The session's own database, as a role that isn't there.
    ({"DATABASE_URL": settings.DATABASE_URL.replace("://countinghouse@", "://nobody_here@")}, ["DATABASE_URL"]),
]


@pytest.mark.parametrize(("servers", "named"), SILENT_SERVERS, ids=",".join)
def test_servers_are_tried_before_anything_starts(servers: dict[str, str], named: list[str], tmp_path: Path) -> None:
    state = tmp_path / "state"
    arguments = ["-m", "billing_site.launcher", "run"]
    done = _python(arguments, {"COUNTINGHOUSE_STATE_DIR": str(state), "PORT": str(free_port())} | servers)
    assert done.returncode == 1
    assert [sentence.split()[0].strip(":") for sentence in done.stderr.splitlines()] == named
    assert "hidden" not in done.stderr
    assert "Ready" not in done.stdout
    assert not (state / "postgres").exists()


def test_a_command_says_in_a_sentence_that_the_database_is_away(tmp_path: Path) -> None:
    away = {"DATABASE_URL": "postgres://u:hidden@127.0.0.1:1/n", "COUNTINGHOUSE_STATE_DIR": str(tmp_path)}
    done = _python(["manage.py", "migrate"], away)
    assert done.returncode == 1
    [sentence] = done.stderr.splitlines()
    assert "DATABASE_URL" in sentence


def _python(arguments: list[str], variables: dict[str, str], *, asked: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"]} | variables,
        input=asked,
        capture_output=True,
        text=True,
        check=False,
    )
