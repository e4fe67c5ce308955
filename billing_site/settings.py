"""Django settings. Every value that differs between installations comes from the environment (README, Settings)."""

from __future__ import annotations

import base64
import os
import secrets
from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.urls import reverse_lazy

from apps.backoffice.theme import UNFOLD as UNFOLD  # noqa: PLC0414 - it is a setting
from apps.core.observability.log_setup import set_up_logs
from apps.core.postgresql.limits import Work, database_settings
from apps.core.wire.openapi import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS  # noqa: PLC0414 - it is a setting
from billing_site import beat, configuration, queues, work
from billing_site.environment import Environment
from billing_site.launcher import places
from billing_site.public_url import public_url

django_stubs_ext.monkeypatch()

# Problems are collected, and refused together at the end.
env = Environment(os.environ)
ENVIRONMENT = env.name
IS_PRODUCTION = env.is_production
BASE_DIR = places.PROJECT
STATE_DIR = places.state_folder()
IS_TEST = ENVIRONMENT == "test"
DEBUG = False

# --- Security -----------------------------------------------------------------------------------------------------
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
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "apps.core.pages.csrf_failure"
# Only a proxy that overwrites X-Forwarded-Proto, and adds the client to X-Forwarded-For, may stand in front (README).
TRUSTED_PROXY = env.read("TRUSTED_PROXY", False, configuration.flag)
# Tells browsers in which somebody has signed in before (apps.tenants.known_devices).
KNOWN_DEVICE_COOKIE_NAME = "known_device"
SESSION_COOKIE_SECURE = IS_PRODUCTION
if IS_PRODUCTION:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 2 * 365 * 24 * 60 * 60
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    KNOWN_DEVICE_COOKIE_NAME = "__Host-known_device"
    if TRUSTED_PROXY:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
# Unfold's Alpine evaluates expressions; under /admin/ only (spec 12).
ADMIN_CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}

# --- Applications -------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    # Unfold's own configuration would install its site over ours.
    "unfold.apps.BasicAppConfig",
    "apps.backoffice.admin_config.StaffAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "django_prometheus",
    "django_structlog",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "csp",
    "pgtrigger",
    "pghistory",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "apps.core",
    "apps.tenants",
    "apps.subscriptions",
    "apps.credits",
    "apps.connectors",
    "apps.payments",
    "apps.backoffice",
]

MIDDLEWARE = [
    "apps.core.wire.security_headers.SecurityHeadersMiddleware",
    "apps.core.observability.requests.RequestIdMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.input_text.InputTextMiddleware",
    "apps.core.wire.hot_path.HotPathMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.tenants.sign_in.portal.PortalSessionMiddleware",
    "apps.core.pages.RefusalPagesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "billing_site.urls"
WSGI_APPLICATION = "billing_site.wsgi.application"
# Processes of `make run`, and threads in each: one computes while another waits for the database; more would wait for
# the interpreter, and for each other.
WEB_WORKERS = env.read("WEB_WORKERS", 2, configuration.whole_number(1, 64))
WEB_THREADS = env.read("WEB_THREADS", 2, configuration.whole_number(1, 64))
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL") or places.database_url()
KIND_OF_WORK = work.kind
DATABASES: dict[str, dict[str, Any]] = {
    "default": database_settings(
        env.require(
            "DATABASE_URL",
            lambda: configuration.database(places.database_url()),
            configuration.database,
            remedy=f"Set it to {configuration.DATABASE_FORM}.",
        ),
        Work(KIND_OF_WORK),
        # True: the roles bring the timeouts (manage.py database_roles). False: each connection sends them.
        sends_timeouts=not env.read("DATABASE_ROLES_SET_TIMEOUTS", False, configuration.flag),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# A row version is a copy of a row whose values were checked; the choices stay with the record.
PGHISTORY_EXCLUDE_FIELD_KWARGS = {"django.db.models.CharField": ["choices"]}

# --- Internal API -------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "EXCEPTION_HANDLER": "apps.core.wire.problems.handle",
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.tenants.authentication.ServiceTokenAuthentication"],
    # Each view names its own; a view that forgets to lets nobody in, since a token signs in no user.
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.core.wire.parser.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["apps.core.wire.throttles.CallerThrottle"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
# These skip every middleware after HotPathMiddleware.
HOT_PATHS = frozenset(
    [f"/api/v1/internal/credits:{name}" for name in ("authorize", "consume", "consume-batch")]
    + [f"/webhooks/{provider}" for provider in ("stripe", "orb")]
)
# For each token and web process; 0 switches it off.
API_RATE_LIMIT_PER_MINUTE = env.read("API_RATE_LIMIT_PER_MINUTE", 120_000, configuration.whole_number(0, 10**9))

# --- Outgoing requests --------------------------------------------------------------------------------------------
# Hosts or CIDRs that addresses typed by tenants may lead to though private.
OUTBOUND_ALLOWLIST: list[str] = env.read("OUTBOUND_ALLOWLIST", [], configuration.hosts_or_networks)

# --- Observability ------------------------------------------------------------------------------------------------
LOGGING = set_up_logs(
    level=env.read("LOG_LEVEL", "INFO", configuration.log_level),
    readable=ENVIRONMENT == "development",
    secrets=(SECRET_KEY, *CREDENTIAL_KEYS),
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# Who may read /metrics, as CIDRs. Requests that a proxy forwarded may not, from wherever.
METRICS_ALLOWED_NETWORKS = env.read(
    "METRICS_ALLOWED_NETWORKS",
    ["127.0.0.0/8", "::1/128"],
    configuration.networks,
    in_production=configuration.refuse_wide_networks,
)

# --- Celery -------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = env.require(
    "CELERY_BROKER_URL",
    places.broker_url,
    configuration.broker,
    remedy=f"Set it to {configuration.BROKER_FORM}, or any broker that Celery supports.",
    in_production=configuration.refuse_broker_of_one_process,
)
CELERY_TASK_ROUTES = queues.TASK_ROUTES
# A task that nobody routed is found by its test; until then it runs.
CELERY_TASK_DEFAULT_QUEUE = queues.CLOCK
JOB_ROUTE = queues.job_route
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# Both, always together: either alone loses the task of a killed child (spec 11).
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
# A killed worker's messages come back after the time-out and a look for them; by default that look is rare (spec 11).
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    # A broker that stays silent must not hold a request that only leaves a hint.
    "socket_timeout": 5,
}
# A request that only leaves a hint must not wait for a broker that is away.
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_BEAT_SCHEDULE = beat.SCHEDULE
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "beat-schedule")

# --- Sign-in ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "tenants.User"
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {
        "NAME": "apps.tenants.password_rules.PatternValidator",
        # What anybody would try at this product's door (ASVS 5, 6.2.11).
        "OPTIONS": {
            "words": (
                *("countinghouse", "counting", "billing", "backoffice", "office", "admin", "support", "staff"),
                *("password", "passwort", "secret", "welcome", "letmein", "changeme", "credits", "invoice"),
            )
        },
    },
]
if IS_TEST:
    # Deliberately slow hashing is for real passwords; a test suite signs in a thousand times.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Of the tenant plane; the staff plane sends people to its own sign-in.
LOGIN_URL = reverse_lazy("sign-in")
# The company's identity service; empty where there is none.
OIDC_ISSUER = env.read("OIDC_ISSUER", "", configuration.address, in_production=configuration.refuse_unencrypted_address)
OIDC_CLIENT_ID = env.read("OIDC_CLIENT_ID", "", configuration.secret)
OIDC_CLIENT_SECRET = env.read("OIDC_CLIENT_SECRET", "", configuration.secret)
env.require_together("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
# A person whose first membership a product reports is invited by mail.
INVITATION_MAILS = env.read("INVITATION_MAILS", False, configuration.flag)
# Whether tenants may sign in by password, and by links that we mail them.
PASSWORD_SIGN_IN = env.read("PASSWORD_SIGN_IN", not OIDC_ISSUER, configuration.flag)
OTP_TOTP_ISSUER = "Countinghouse"
# Guesses at codes are counted as all others are (apps.tenants.guess_limits); the device's own wait has no upper bound.
OTP_TOTP_THROTTLE_FACTOR = 0

# --- Texts, time, files -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if IS_TEST
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
EMAIL_CONFIG = env.require(
    "EMAIL_URL",
    lambda: configuration.email(f"filemail:///{STATE_DIR / 'mail'}"),
    configuration.email,
    remedy=f"Set it to {configuration.EMAIL_FORM}.",
    in_production=configuration.refuse_email_that_stays_here,
)
vars().update(EMAIL_CONFIG)
if EMAIL_CONFIG["EMAIL_BACKEND"] == "django.core.mail.backends.filebased.EmailBackend":
    EMAIL_BACKEND = "apps.core.outgoing.mail_files.PrivateFileBackend"
DEFAULT_FROM_EMAIL = env.require(
    "DEFAULT_FROM_EMAIL",
    lambda: "Countinghouse <billing@localhost>",
    configuration.sender,
    remedy="Set it to the sender of our e-mails, such as Billing <billing@example.com>.",
)


def _address(variable: str, default: str) -> str:
    return env.read(variable, default, configuration.address, in_production=configuration.refuse_unencrypted_address)


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
SEGMENT_WRITE_KEY = env.read("SEGMENT_WRITE_KEY", "", configuration.secret)
SEGMENT_API_BASE = _address("SEGMENT_API_BASE", "")

env.refuse_problems()
