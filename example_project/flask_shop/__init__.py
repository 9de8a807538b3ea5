"""The Flask shop: memberships of a shared workshop, for teams. `create_app()` is what gunicorn is pointed at."""

from __future__ import annotations

from example_project.flask_shop.application import create_app

__all__ = ["create_app"]
