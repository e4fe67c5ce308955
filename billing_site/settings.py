"""Django settings. Every value that differs between installations comes from the environment (README, Settings)."""

from __future__ import annotations

from typing import Any

import django_stubs_ext
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.urls import reverse_lazy

from apps.backoffice.theme import UNFOLD as UNFOLD  # noqa: PLC0414 - it is a setting
from apps.core.observability.log_setup import set_up_logs
from apps.core.wire.openapi import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS  # noqa: PLC0414 - it is a setting
from billing_site import beat, environment
from billing_site.environment import ENVIRONMENT, IS_PRODUCTION, env
from billing_site.identity_service import identity_service
from billing_site.launcher import places
from billing_site.public_url import public_url

django_stubs_ext.monkeypatch()

BASE_DIR = places.PROJECT
STATE_DIR = places.state_folder()
IS_TEST = ENVIRONMENT == "test"
DEBUG = False

# --- Security -----------------------------------------------------------------------------------------------------
SECRET_KEY = environment.secret_key()
CREDENTIAL_KEYS = environment.credential_keys()
ALLOWED_HOSTS = environment.allowed_hosts()
# What mails, links and redirects carry.
PUBLIC_URL = public_url(is_production=IS_PRODUCTION, allowed_hosts=ALLOWED_HOSTS)
CSRF_TRUSTED_ORIGINS = env.list("DJANGO_CSRF_TRUSTED_ORIGINS", default=[])
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "apps.core.pages.csrf_failure"
if IS_PRODUCTION:
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SECURE_HSTS_SECONDS = 2 * 365 * 24 * 60 * 60
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    # Only a proxy that overwrites this header may stand in front: see README, Settings.
    if env.bool("TRUSTED_PROXY", default=False):
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
    "axes",
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
    "apps.core.observability.requests.RequestIdMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
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
    "apps.backoffice.middleware.StaffPlaneMiddleware",
    "apps.tenants.middleware.BillingPagesMiddleware",
    "apps.tenants.sign_in.portal.PortalSessionMiddleware",
    "axes.middleware.AxesMiddleware",
    "apps.core.pages.RefusalPagesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
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
DATABASE_URL = environment.required_in_production(
    "DATABASE_URL", places.database_url(), "Set it to postgres://user:password@host/name."
)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.db_url_config(DATABASE_URL),
        # A new connection each request costs 6.7 times as much (spec 11, Speed).
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
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
API_RATE_LIMIT_PER_MINUTE = env.int("API_RATE_LIMIT_PER_MINUTE", default=120_000)

# --- Outgoing requests --------------------------------------------------------------------------------------------
# Hosts or CIDRs that addresses typed by tenants may lead to though private.
OUTBOUND_ALLOWLIST = env.list("OUTBOUND_ALLOWLIST", default=[])

# --- Observability ------------------------------------------------------------------------------------------------
LOGGING = set_up_logs(
    level=env.str("LOG_LEVEL", default="INFO"),
    readable=ENVIRONMENT == "development",
    secrets=(SECRET_KEY, *CREDENTIAL_KEYS),
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
# Who may read /metrics, as CIDRs. Requests that a proxy forwarded may not, from wherever.
METRICS_ALLOWED_NETWORKS = env.list("METRICS_ALLOWED_NETWORKS", default=["127.0.0.0/8", "::1/128"])

# --- Celery -------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = environment.required_in_production(
    "CELERY_BROKER_URL", places.broker_url(), "Set it to redis://host:6379/0, or any broker that Celery supports."
)
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
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if IS_TEST:
    # Deliberately slow hashing is for real passwords; a test suite signs in a thousand times.
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Of the tenant plane; the staff plane sends people to its own sign-in.
LOGIN_URL = reverse_lazy("sign-in")
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
# What `authenticate` calls the address; by the model's name for it, failures would be counted for nobody.
AXES_USERNAME_FORM_FIELD = "username"
# The wait has an end that was told; trying on does not put it off.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "billing_site.sign_in_limits.locked_out"
# The company's identity service; empty where there is none.
OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET = identity_service(is_production=IS_PRODUCTION)
# A person whose first membership a product reports is invited by mail.
INVITATION_MAILS = env.bool("INVITATION_MAILS", default=False)
# Whether tenants may sign in by password, and by links that we mail them.
PASSWORD_SIGN_IN = env.bool("PASSWORD_SIGN_IN", default=not OIDC_ISSUER)
OTP_TOTP_ISSUER = "Countinghouse"

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
EMAIL_CONFIG = env.email_url(
    "EMAIL_URL", default=f"filemail:///{STATE_DIR / 'mail'}" if not IS_PRODUCTION else env.NOTSET
)
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = environment.required_in_production(
    "DEFAULT_FROM_EMAIL", "Countinghouse <billing@localhost>", "Set it to the sender of our e-mails."
)

# --- Google: every address is a setting, so that a stand-in can take its place --------------------------------------
GOOGLE_CLIENT_ID = env.str("GOOGLE_CLIENT_ID", default="")
GOOGLE_CLIENT_SECRET = env.str("GOOGLE_CLIENT_SECRET", default="")
GOOGLE_AUTHORIZE_URL = env.str("GOOGLE_AUTHORIZE_URL", default="https://accounts.google.com/o/oauth2/v2/auth")
GOOGLE_TOKEN_URL = env.str("GOOGLE_TOKEN_URL", default="https://oauth2.googleapis.com/token")
# Empty: each of Google's APIs at its own host.
GOOGLE_API_BASE = env.str("GOOGLE_API_BASE", default="")

# --- Payment providers: several signing secrets may be valid while one is replaced ----------------------------------
WEBHOOK_SECRETS = {
    "stripe": [secret for secret in env.list("STRIPE_WEBHOOK_SECRETS", default=[]) if secret],
    "orb": [secret for secret in env.list("ORB_WEBHOOK_SECRETS", default=[]) if secret],
}
# Without a key its calls wait in the outbox, and the pages say so. Empty addresses: the provider's own.
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="")
ORB_API_KEY = env.str("ORB_API_KEY", default="")
ORB_API_BASE = env.str("ORB_API_BASE", default="")
SEGMENT_WRITE_KEY = env.str("SEGMENT_WRITE_KEY", default="")
SEGMENT_API_BASE = env.str("SEGMENT_API_BASE", default="")
