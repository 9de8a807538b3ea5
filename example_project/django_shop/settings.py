"""Settings of the Django shop. What dd-pa needs is marked; the rest is an ordinary Django project."""

from __future__ import annotations

from pathlib import Path

from example_project.run_directory import run_directory, secret_key

HERE = Path(__file__).parent

SECRET_KEY = secret_key()
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "dd_pa_django",  # dd-pa
    "example_project.django_shop.catalogue",
    "example_project.django_shop.customers",
    "example_project.django_shop.orders",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "dd_pa_django.middleware.ProductAnalyticsMiddleware",  # dd-pa
]

# dd-pa. API_KEY, CLIENT_TOKEN, INTAKE_URL … come from the environment (DD_API_KEY …), as in production.
DD_PA = {
    "APPLICATION_ID": "6b1f2a64-5f0e-4c5b-9f7d-0d2c41c9a8e1",
    "SERVICE": "goods-shop",
    "ACCOUNT_ID": "example_project.django_shop.customers.analytics.company_of",
    "AUTH_EVENTS": True,  # sign-ins, failed ones and sign-outs, from whichever form
    "OUTBOX": True,  # an event is a row of the transaction that it tells of; `manage.py dd_pa_deliver` delivers
    "RUM_SDK_URL": "/static/look/vendor/datadog-rum-v7.js",  # as npm has it; without this line, from Datadog
    "STRICT": True,  # an example should show its own mistakes
}

ROOT_URLCONF = "example_project.django_shop.urls"
ASGI_APPLICATION = "example_project.django_shop.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "example_project.django_shop.orders.cart.in_cart",
            ]
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": run_directory() / "goods.sqlite3",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [{"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "catalogue"
# Cookies do not see ports: names of its own keep this shop apart from the other one on the same machine.
SESSION_COOKIE_NAME = "goods_session"
CSRF_COOKIE_NAME = "goods_csrf"
CSRF_COOKIE_HTTPONLY = True

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [HERE.parent / "look" / "static"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
