"""Every value that differs between installations, read from the environment (README, Settings).

A name here is the name of the setting. Everything wrong with the environment is refused together, at the end.
"""

from __future__ import annotations

import base64
import os
import secrets

from billing_site import configuration
from billing_site.collector import collector
from billing_site.environment import Environment
from billing_site.launcher import places
from billing_site.public_url import page_hosts, public_url
from billing_site.second_factor_proof import PROOF_FORM, second_factor_proof

env = Environment(os.environ)
ENVIRONMENT = env.name
IS_PRODUCTION = env.is_production
STATE_DIR = places.state_folder()
LOG_LEVEL = env.read("LOG_LEVEL", "INFO", configuration.log_level)
# The collector of traces, over HTTP; empty: there are none, and nothing of them is loaded.
OTEL_EXPORTER_OTLP_ENDPOINT = env.read("OTEL_EXPORTER_OTLP_ENDPOINT", "", collector)

# --- Secrets, and where we are --------------------------------------------------------------------------------------
SECRET_KEY = env.require(
    "DJANGO_SECRET_KEY",
    lambda: env.kept_secret("secret_key", lambda: secrets.token_urlsafe(64)),
    str,
    remedy=f"Set it to at least {configuration.SHORTEST_SECRET_KEY} random characters.",
    in_production=configuration.refuse_weak_secret_key,
)
CREDENTIAL_KEYS = env.require(
    "CREDENTIAL_KEYS",
    lambda: (env.kept_secret("credential_key", lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()),),
    configuration.credential_keys,
    remedy=f"Make a key with: {configuration.KEY_COMMAND}",
    in_production=configuration.refuse_weak_credential_keys,
)
ALLOWED_HOSTS = env.require(
    "DJANGO_ALLOWED_HOSTS",
    lambda: ["localhost", "127.0.0.1", "[::1]", "testserver"],
    configuration.hosts,
    remedy="List the host names that we answer to.",
    in_production=configuration.refuse_wide_hosts,
)
# What mails, links and redirects carry.
PUBLIC_URL = env.require(
    "PUBLIC_URL",
    lambda: f"http://localhost:{env.text('PORT') or '8000'}",
    public_url(ALLOWED_HOSTS if env.is_usable("DJANGO_ALLOWED_HOSTS") else ["*"]),
    remedy="Set it to the address at which people reach this installation, such as https://billing.example.com.",
    in_production=configuration.refuse_unencrypted_address,
)
CSRF_TRUSTED_ORIGINS: list[str] = env.read("DJANGO_CSRF_TRUSTED_ORIGINS", [], configuration.origins)
# Addresses or CIDRs of proxies that overwrite X-Forwarded-Proto and add the client to X-Forwarded-For (README).
TRUSTED_PROXIES: list[str] = env.read("TRUSTED_PROXIES", [], configuration.proxies)
env.refuse_former("TRUSTED_PROXY", "Set TRUSTED_PROXIES to the addresses or networks of your proxies instead.")

# --- Servers ----------------------------------------------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL") or places.database_url()
DATABASE = env.require(
    "DATABASE_URL",
    lambda: configuration.database(places.database_url()),
    configuration.database,
    remedy=f"Set it to {configuration.DATABASE_FORM}.",
)
# True: the roles bring the timeouts (manage.py database_roles). False: each connection sends them.
DATABASE_ROLES_SET_TIMEOUTS = env.read("DATABASE_ROLES_SET_TIMEOUTS", False, configuration.flag)
# A replica that reports, exports and lists of history are read from; empty: all is read from the primary.
REPORTS_DATABASE: configuration.DatabaseSettings = env.read("REPORTS_DATABASE_URL", {}, configuration.database)
# A replica further behind is not read from.
REPORTS_LARGEST_LAG_SECONDS = env.read("REPORTS_LARGEST_LAG_SECONDS", 60, configuration.whole_number(1, 3_600))
CELERY_BROKER_URL = env.require(
    "CELERY_BROKER_URL",
    places.broker_url,
    configuration.broker,
    remedy=f"Set it to {configuration.BROKER_FORM}, or any broker that Celery supports.",
    in_production=configuration.refuse_broker_of_one_process,
)
EMAIL_CONFIG = env.require(
    "EMAIL_URL",
    lambda: configuration.email(f"filemail:///{STATE_DIR / 'mail'}"),
    configuration.email,
    remedy=f"Set it to {configuration.EMAIL_FORM}.",
    in_production=configuration.refuse_email_that_stays_here,
)
DEFAULT_FROM_EMAIL = env.require(
    "DEFAULT_FROM_EMAIL",
    lambda: "Countinghouse <billing@localhost>",
    configuration.sender,
    remedy="Set it to the sender of our e-mails, such as Billing <billing@example.com>.",
)
# Whom tenants ask about invoices, plans and credits: an e-mail address, for pages and mails. Empty: they name none.
SUPPORT_CONTACT = env.read("SUPPORT_CONTACT", "", configuration.sender)
# Processes of `make run`, and threads in each: one computes while another waits for the database; more would wait for
# the interpreter, and for each other.
WEB_WORKERS = env.read("WEB_WORKERS", 2, configuration.whole_number(1, 64))
WEB_THREADS = env.read("WEB_THREADS", 2, configuration.whole_number(1, 64))

# --- Who may reach what -----------------------------------------------------------------------------------------------
# For each token and web process; 0 switches it off.
API_RATE_LIMIT_PER_MINUTE = env.read("API_RATE_LIMIT_PER_MINUTE", 120_000, configuration.whole_number(0, 10**9))
# What shadow mode must have shown of a product in its last 14 days before we decide for it (spec 02, Cutover).
CENTRAL_LEAST_DAYS = env.read("CENTRAL_LEAST_DAYS", 7, configuration.whole_number(1, 14))
CENTRAL_LEAST_DECISIONS = env.read("CENTRAL_LEAST_DECISIONS", 1_000, configuration.whole_number(1, 10**9))
CENTRAL_LEAST_AGREEMENT_PER_MILLE = env.read(
    "CENTRAL_LEAST_AGREEMENT_PER_MILLE", 995, configuration.whole_number(0, 1_000)
)
# Of the records of a month, in a hundred: a sync that would void more waits for a person.
SYNC_LARGEST_SHRINK_PERCENT = env.read("SYNC_LARGEST_SHRINK_PERCENT", 50, configuration.whole_number(0, 100))
# To one host that a tenant has named, from each process; 0 switches it off.
OUTBOUND_CALLS_PER_SECOND = env.read("OUTBOUND_CALLS_PER_SECOND", 5, configuration.whole_number(0, 1_000))
# Hosts or CIDRs that addresses typed by tenants may lead to though private.
OUTBOUND_ALLOWLIST: list[str] = env.read("OUTBOUND_ALLOWLIST", [], configuration.hosts_or_networks)
# Who may read /metrics, as CIDRs. Requests that a proxy forwarded may not, from wherever.
METRICS_ALLOWED_NETWORKS = env.read(
    "METRICS_ALLOWED_NETWORKS",
    ["127.0.0.0/8", "::1/128"],
    configuration.networks,
    in_production=configuration.refuse_wide_networks,
)


def _address(variable: str, default: str) -> str:
    return env.read(variable, default, configuration.address, in_production=configuration.refuse_unencrypted_address)


# --- How people sign in -----------------------------------------------------------------------------------------------
# The company's identity service; empty where there is none.
OIDC_ISSUER = env.read("OIDC_ISSUER", "", configuration.address, in_production=configuration.refuse_unencrypted_address)
OIDC_CLIENT_ID = env.read("OIDC_CLIENT_ID", "", configuration.secret)
OIDC_CLIENT_SECRET = env.read("OIDC_CLIENT_SECRET", "", configuration.secret)
env.require_together("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
# Staff may sign in through it too, if the token proves a second factor: (claim, what it must say).
STAFF_OIDC = env.read("STAFF_OIDC", False, configuration.flag)
STAFF_OIDC_PROOF = env.read("STAFF_OIDC_PROOF", ("", ""), second_factor_proof)
if STAFF_OIDC:
    env.require_beside("STAFF_OIDC", "OIDC_ISSUER", remedy="Set OIDC_ISSUER, or leave STAFF_OIDC out.")
    env.require_beside("STAFF_OIDC", "STAFF_OIDC_PROOF", remedy=f"Set it to {PROOF_FORM}.")
# A person whose first membership a product reports is invited by mail.
INVITATION_MAILS = env.read("INVITATION_MAILS", False, configuration.flag)
# Whether tenants may sign in by password, and by links that we mail them.
PASSWORD_SIGN_IN = env.read("PASSWORD_SIGN_IN", not OIDC_ISSUER, configuration.flag)

# --- Google: every address is a setting, so that a stand-in can take its place --------------------------------------
GOOGLE_CLIENT_ID = env.read("GOOGLE_CLIENT_ID", "", configuration.secret)
GOOGLE_CLIENT_SECRET = env.read("GOOGLE_CLIENT_SECRET", "", configuration.secret)
env.require_together("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET")
GOOGLE_AUTHORIZE_URL = _address("GOOGLE_AUTHORIZE_URL", "https://accounts.google.com/o/oauth2/v2/auth")
GOOGLE_TOKEN_URL = _address("GOOGLE_TOKEN_URL", "https://oauth2.googleapis.com/token")
# Empty: each of Google's APIs at its own host.
GOOGLE_API_BASE = _address("GOOGLE_API_BASE", "")

# --- Payment providers: several signing secrets may be valid while one is replaced ----------------------------------
WEBHOOK_SECRETS: dict[str, list[str]] = {
    "stripe": env.read("STRIPE_WEBHOOK_SECRETS", [], configuration.secrets_between_commas),
    "orb": env.read("ORB_WEBHOOK_SECRETS", [], configuration.secrets_between_commas),
}
# Without a key its calls wait in the outbox, and the pages say so. Empty addresses: the provider's own.
STRIPE_SECRET_KEY = env.read("STRIPE_SECRET_KEY", "", configuration.stripe_key)
STRIPE_API_BASE = _address("STRIPE_API_BASE", "")
ORB_API_KEY = env.read("ORB_API_KEY", "", configuration.secret)
ORB_API_BASE = _address("ORB_API_BASE", "")
# Other products may sell through the same Stripe account: events of customers without our metadata are set aside.
UNMARKED_CUSTOMERS_ARE_NOT_OURS = env.read("UNMARKED_CUSTOMERS_ARE_NOT_OURS", False, configuration.flag)
# Whoever hears late of a failed payment has this many days at least from then.
GRACE_NOTICE_DAYS = env.read("GRACE_NOTICE_DAYS", 3, configuration.whole_number(1, 60))
# Our own domain for Stripe's pages of checkout and portal, where one is set up there.
STRIPE_CHECKOUT_HOSTS: list[str] = env.read("STRIPE_CHECKOUT_HOSTS", [], page_hosts)
SEGMENT_WRITE_KEY = env.read("SEGMENT_WRITE_KEY", "", configuration.secret)
SEGMENT_API_BASE = _address("SEGMENT_API_BASE", "")

# --- How long it is kept, in days (spec 14, Years of data) ------------------------------------------------------------
_DAYS_KEPT = configuration.whole_number(30, 36_500)
KEEP_JOB_RUNS_DAYS = env.read("KEEP_JOB_RUNS_DAYS", 400, _DAYS_KEPT)
KEEP_SYNC_RUNS_DAYS = env.read("KEEP_SYNC_RUNS_DAYS", 400, _DAYS_KEPT)
KEEP_OUTBOX_DAYS = env.read("KEEP_OUTBOX_DAYS", 90, _DAYS_KEPT)
KEEP_RECEIPTS_DAYS = env.read("KEEP_RECEIPTS_DAYS", 90, _DAYS_KEPT)
KEEP_SIGN_IN_FAILURES_DAYS = env.read("KEEP_SIGN_IN_FAILURES_DAYS", 30, configuration.whole_number(1, 36_500))
KEEP_WEBHOOK_BODIES_DAYS = env.read("KEEP_WEBHOOK_BODIES_DAYS", 400, _DAYS_KEPT)
KEEP_ANSWERS_DAYS = env.read("KEEP_ANSWERS_DAYS", 400, _DAYS_KEPT)

env.refuse_problems()
