"""Puts dd-pa into a Django or Flask project: finds where it belongs, and shows what it would add before it does.

For `dd-pa init`, `manage.py dd_pa_init` and `flask dd-pa init`.
"""

from __future__ import annotations

from dd_pa.project_setup.change import Change
from dd_pa.project_setup.django_settings import django_changes
from dd_pa.project_setup.flask_app import flask_changes
from dd_pa.project_setup.project import DjangoProject, FlaskProject, UnknownProjectError, find_project

__all__ = [
    "Change",
    "DjangoProject",
    "FlaskProject",
    "UnknownProjectError",
    "django_changes",
    "find_project",
    "flask_changes",
]
