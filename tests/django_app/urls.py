from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import path

from tests.django_app import api, views
from tests.django_app.orders import views as order_views

FUNCTIONS = (
    "plain",
    "plain_async",
    "tracking",
    "tracking_async",
    "sync_track_in_async",
    "sync_track_after_auser",
    "tracks_then_greets",
    "tracks_then_greets_async",
    "tracks_beside_greeting",
    "tracks_then_flushes",
    "tracks_then_flushes_async",
    "signs_in",
    "signs_in_async",
    "signs_out",
    "names_ids",
    "names_ids_async",
    "meets",
    "checks_out",
    "report",
    "report_async",
    "report_fails",
    "report_fails_async",
    "report_with_mapping",
    "report_with_callable",
    "report_with_callable_async",
    "report_when",
    "report_broken_attributes",
    "report_broken_when",
    "report_template",
    "streams",
    "streams_async",
    "waits_async",
    "sends_file",
)
CLASSES = (
    "MethodView",
    "BareMethodView",
    "DispatchView",
    "AsyncMethodView",
    "AsyncDispatchView",
)

urlpatterns = [path(f"{name}/", getattr(views, name)) for name in FUNCTIONS]
urlpatterns += [path(f"{name}/", getattr(views, name).as_view()) for name in CLASSES]
urlpatterns += [
    path("admin/", admin.site.urls),
    path("signs_in_by_form/", views.signs_in_by_form),
    path("signs_out_by_form/", LogoutView.as_view(next_page="/plain/")),
    path("api_signs_in/", api.api_signs_in),
    path("renames_me/", order_views.renames_me),
    path("places_order_async/", order_views.places_order_async),
    path("api_outside/", api.api_outside),
    path("api_inside/", api.api_inside),
    path("ApiTrackView/", api.ApiTrackView.as_view()),
    path("ApiMethodView/", api.ApiMethodView.as_view()),
    path("ApiDispatchView/", api.ApiDispatchView.as_view()),
]
