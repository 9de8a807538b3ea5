"""What uvicorn serves. The static files are served from here too: a shop this small has nothing in front of it."""

from __future__ import annotations

import os

from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.django_shop.settings")

application = ASGIStaticFilesHandler(get_asgi_application())
