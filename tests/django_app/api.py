"""Views of the REST framework, which authenticates inside the view."""

# The REST framework has no types.
# mypy: disable-error-code="misc, untyped-decorator"

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate, login
from django.utils.decorators import method_decorator
from rest_framework.authentication import TokenAuthentication
from rest_framework.decorators import api_view, authentication_classes
from rest_framework.response import Response
from rest_framework.views import APIView

from dd_pa_django import track, tracked
from tests.django_app.views import details


@tracked("report.viewed", attributes=details)
@api_view(["GET"])
@authentication_classes([TokenAuthentication])
def api_outside(request: Any) -> Response:
    return Response({"report": True})


@api_view(["GET"])
@authentication_classes([TokenAuthentication])
@tracked("report.viewed", attributes=details)
def api_inside(request: Any) -> Response:
    return Response({"report": True})


@api_view(["POST"])
def api_signs_in(request: Any) -> Response:
    user = authenticate(request, username=request.data["username"], password=request.data["password"])
    if user is None:
        return Response(status=403)
    login(request, user)
    return Response({"signed in": True})


class ApiMethodView(APIView):
    authentication_classes = (TokenAuthentication,)

    @tracked("report.viewed", attributes=details)
    def get(self, request: Any) -> Response:
        return Response({"report": True})


@method_decorator(tracked("report.viewed", attributes=details), name="dispatch")
class ApiDispatchView(APIView):
    authentication_classes = (TokenAuthentication,)

    def get(self, request: Any) -> Response:
        return Response({"report": True})


class ApiTrackView(APIView):
    authentication_classes = (TokenAuthentication,)

    def get(self, request: Any) -> Response:
        track("report.viewed", details(request, Response(status=200)))
        return Response({"report": True})
