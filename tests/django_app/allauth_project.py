"""A site with django-allauth, and a visit to it: settings and program in one."""

from __future__ import annotations

import os

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "allauth.urls"
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "dd_pa_django",
]
MIDDLEWARE = [
    "dd_pa_django.middleware.ProductAnalyticsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
LOGIN_REDIRECT_URL = "/"
DD_PA = {
    "APPLICATION_ID": "shop",
    "API_KEY": "test-key",
    "INTAKE_URL": os.environ.get("INTAKE_URL", "http://127.0.0.1:9"),
    "AUTH_EVENTS": True,
    "STRICT": True,
    "SPOOL_DIR": None,
    "SESSION_ID": lambda request: "2b1b778e-9ef6-45d6-89b8-e68ca6ceb436",
}


def visit() -> None:
    """Sign up, leave, mistype the password, and come back; each event arrives before the next."""
    from django.core.management import call_command  # noqa: PLC0415 - after django.setup()
    from django.test import Client  # noqa: PLC0415

    from dd_pa_django import get_emitter  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    email, password = "marked@example.com", "marked-password-1"
    browser = Client()
    for address, form in (
        ("signup", {"email": email, "password1": password}),
        ("logout", {}),
        ("login", {"login": email, "password": "marked-wrong"}),
        ("login", {"login": email, "password": password}),
    ):
        answer = browser.post(f"/{address}/", form)
        assert answer.status_code == (200 if "wrong" in str(form) else 302), (address, answer.content)
        assert get_emitter().flush(60)


if __name__ == "__main__":
    import django

    django.setup()
    visit()
