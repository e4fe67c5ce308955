"""Django settings. Every value that differs between installations comes from the environment (README, Settings)."""

from __future__ import annotations

from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.urls import reverse_lazy

from apps.backoffice.theme import UNFOLD as UNFOLD  # noqa: PLC0414 - it is a setting
from apps.core.observability.log_setup import set_up_logs
from apps.core.postgresql.limits import Work, database_settings, replica_settings
from apps.core.wire.openapi import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS  # noqa: PLC0414 - it is a setting
from billing_site import queues, variables, work
from billing_site.launcher import places
from billing_site.variables import *  # noqa: F403 - they are settings
from billing_site.variables import IS_PRODUCTION, STATE_DIR

django_stubs_ext.monkeypatch()

BASE_DIR = places.PROJECT
IS_TEST = variables.ENVIRONMENT == "test"
DEBUG = False

# --- Security -----------------------------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "apps.core.pages.csrf_failure"
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
    "apps.reporting",
    "apps.backoffice",
]

MIDDLEWARE = [
    "apps.core.wire.security_headers.SecurityHeadersMiddleware",
    "apps.core.observability.requests.RequestIdMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "apps.core.observability.answers.AnswerMetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "apps.core.input_text.InputTextMiddleware",
    "apps.core.wire.hot_path.HotPathMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.core.replica.OwnWritesMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "apps.tenants.sign_in.sessions.StaffSessionMiddleware",
    "apps.tenants.sign_in.portal.PortalSessionMiddleware",
    "apps.tenants.sign_in.impersonation.ImpersonationMiddleware",
    "apps.core.pages.RefusalPagesMiddleware",
]

ROOT_URLCONF = "billing_site.urls"
WSGI_APPLICATION = "billing_site.wsgi.application"
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
KIND_OF_WORK = work.kind
DATABASES: dict[str, dict[str, Any]] = {
    "default": database_settings(
        variables.DATABASE, Work(KIND_OF_WORK), sends_timeouts=not variables.DATABASE_ROLES_SET_TIMEOUTS
    )
}
if variables.REPORTS_DATABASE:
    DATABASES["reports"] = replica_settings(
        variables.REPORTS_DATABASE, Work(KIND_OF_WORK), sends_timeouts=not variables.DATABASE_ROLES_SET_TIMEOUTS
    )
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
    "DEFAULT_SCHEMA_CLASS": "apps.core.wire.schema_extensions.BodySchema",
}
# These skip every middleware after HotPathMiddleware.
HOT_PATHS = frozenset(
    [f"/api/v1/internal/credits:{name}" for name in ("authorize", "consume", "consume-batch")]
    + [f"/webhooks/{provider}" for provider in variables.WEBHOOK_SECRETS]
)
# --- Observability ------------------------------------------------------------------------------------------------
LOGGING = set_up_logs(
    level=variables.LOG_LEVEL,
    readable=variables.ENVIRONMENT == "development",
    secrets=(variables.SECRET_KEY, *variables.CREDENTIAL_KEYS),
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
if variables.OTEL_EXPORTER_OTLP_ENDPOINT:
    _request_ids = MIDDLEWARE.index("apps.core.observability.requests.RequestIdMiddleware")
    MIDDLEWARE.insert(_request_ids + 1, "apps.core.observability.tracing.TracingMiddleware")
# --- Celery -------------------------------------------------------------------------------------------------------
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
    # A broker that stays silent must not hold a request that only sends a wake-up: in Redis, and in RabbitMQ.
    "socket_timeout": 5,
    "read_timeout": 5,
}
# A request that only sends a wake-up must not wait for a broker that is away.
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Nothing here commands workers. In RabbitMQ the queue for it is one connection's alone: of two workers of one name, on
# two machines of one host name, one would end at its start, again and again. In Redis the connection for it is what
# notices that the broker was lost while every process was busy: without it such a worker takes no task ever again.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = "amqp" not in variables.CELERY_BROKER_URL.partition(":")[0]
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_BEAT_SCHEDULER = "billing_site.beat:Scheduler"
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
vars().update(variables.EMAIL_CONFIG)
if variables.EMAIL_CONFIG["EMAIL_BACKEND"] == "django.core.mail.backends.filebased.EmailBackend":
    EMAIL_BACKEND = "apps.core.outgoing.mail_files.PrivateFileBackend"
