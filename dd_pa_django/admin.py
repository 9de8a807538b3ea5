from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.timesince import timesince
from django.utils.timezone import localtime, make_naive

from dd_pa_django.configuration import asks_for_outbox
from dd_pa_django.models import OutboxEvent, escape_invisible

if TYPE_CHECKING:
    EventAdmin = admin.ModelAdmin[OutboxEvent]
else:
    EventAdmin = admin.ModelAdmin

SHOWN = 100_000
"""Characters of an event that its page shows; a browser is slow with a megabyte of text."""

UNKNOWN = "unknown"
"""Stands for a time that cannot be shown."""

LISTED = 20
"""Events that the confirmation page lists by name."""


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, Any]]:
        return [("waiting", "waiting"), ("claimed", "being delivered"), ("rejected", "rejected")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> QuerySet[OutboxEvent]:
        match self.value():
            case "waiting":
                return queryset.filter(state=OutboxEvent.State.WAITING, claimed_until__lte=_now())
            case "claimed":
                return queryset.filter(state=OutboxEvent.State.WAITING, claimed_until__gt=_now())
            case "rejected":
                return queryset.filter(state=OutboxEvent.State.REJECTED)
        return queryset


@admin.register(OutboxEvent)
class OutboxEventAdmin(EventAdmin):
    """Shows what waits and what was rejected. Nothing can be changed; rejected events can be sent again."""

    list_display = ("shown_name", "status", "age", "claims", "reason")
    list_filter = (StatusFilter,)
    search_fields = ("name", "event_id")
    search_help_text = "Name or id. What an event says is not searched."
    ordering = ("-id",)
    actions = ("retry",)
    list_per_page = 50
    show_full_result_count = False
    fields = (
        "full_name",
        "event_id",
        "status",
        "occurred",
        "claims",
        "claimed_by",
        "rejected",
        "reason",
        "detail",
        "content",
    )
    readonly_fields = fields

    class Media:
        css = {"all": ("dd_pa/outbox.css",)}  # noqa: RUF012 - as Django writes it

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Tell whether the admin shows the outbox at all: where OUTBOX is off, it is not there."""
        return asks_for_outbox() and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: OutboxEvent | None = None) -> bool:
        return asks_for_outbox() and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: OutboxEvent | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: OutboxEvent | None = None) -> bool:
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may have rejected events delivered again; for the action."""
        user: Any = request.user
        return bool(user.has_perm("dd_pa.retry_outboxevent"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[OutboxEvent]:
        """Leave out what the events say, which only the page of one of them shows."""
        return super().get_queryset(request).defer("body")

    @admin.display(description="name", ordering="name")
    def shown_name(self, event: OutboxEvent) -> str:
        return Truncator(escape_invisible(str(event.name))).chars(100)

    @admin.display(description="name")
    def full_name(self, event: OutboxEvent) -> str:
        return escape_invisible(str(event.name))

    @admin.display(description="status", ordering="state")
    def status(self, event: OutboxEvent) -> Any:
        if event.state == OutboxEvent.State.REJECTED:
            return "rejected"
        claimed_until: object = event.claimed_until
        return "being delivered" if isinstance(claimed_until, int) and claimed_until > _now() else "waiting"

    @admin.display(description="age", ordering="-occurred_at")
    def age(self, event: OutboxEvent) -> str:
        moment = _moment(event.occurred_at)
        return UNKNOWN if moment is None else timesince(moment, depth=1)

    @admin.display(description="occurred at")
    def occurred(self, event: OutboxEvent) -> str:
        return _shown(event.occurred_at)

    @admin.display(description="rejected at")
    def rejected(self, event: OutboxEvent) -> str | None:
        return None if event.rejected_at is None else _shown(event.rejected_at)

    @admin.display(description="event")
    def content(self, event: OutboxEvent) -> SafeString:
        return format_html('<pre class="dd-pa-event">{}</pre>', _pretty(event.body))

    @admin.action(description="Deliver rejected events again", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> HttpResponse | None:
        chosen = queryset.filter(state=OutboxEvent.State.REJECTED)
        if "confirmed" not in request.POST:
            return self._ask(request, chosen)
        done = chosen.order_by().update(
            state=OutboxEvent.State.WAITING, claimed_by="", claimed_until=0, rejected_at=None, reason="", detail=""
        )
        text = f"{_counted(done, 'event')} put back, to be delivered again."
        if done:
            _write_down(request, text)
        self.message_user(request, text, messages.SUCCESS if done else messages.WARNING)
        return None

    def _ask(self, request: HttpRequest, chosen: QuerySet[OutboxEvent]) -> TemplateResponse:
        count = chosen.count()
        more = max(0, count - LISTED)
        context = {
            **self.admin_site.each_context(request),
            "title": "Deliver rejected events again?",
            "opts": self.opts,
            "count": count,
            "announcement": f"{_counted(count, 'rejected event')} will wait for delivery again:",
            "names": [escape_invisible(str(event.name)) for event in chosen[:LISTED]],
            "more": f"and {more:,} more" if more else "",
            "checkbox": ACTION_CHECKBOX_NAME,
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "media": self.media,
        }
        return TemplateResponse(request, "admin/dd_pa/outboxevent/retry_confirmation.html", context)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _write_down(request: HttpRequest, text: str) -> None:
    """Make one entry of the admin's log, however many events there are."""
    LogEntry.objects.create(
        user_id=cast("int", request.user.pk),
        content_type=ContentType.objects.get_for_model(OutboxEvent),
        object_repr="Outbox",
        action_flag=CHANGE,
        change_message=text,
    )


def _now() -> int:
    return time.time_ns() // 1_000_000


def _moment(milliseconds: object) -> datetime | None:
    """Return a time; None for what no clock shows, whoever has written it: SQLite keeps any value in any column."""
    try:
        moment = datetime.fromtimestamp(float(str(milliseconds)) / 1000, UTC)
        return localtime(moment) if settings.USE_TZ else make_naive(moment)
    except (ValueError, OverflowError, OSError):
        return None


def _shown(milliseconds: object) -> str:
    moment = _moment(milliseconds)
    return UNKNOWN if moment is None else date_format(moment, "DATETIME_FORMAT")


def _pretty(found: object) -> str:
    body = bytes(found) if isinstance(found, bytes | bytearray | memoryview) else str(found).encode()
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # no event; or one with a number or a depth that Python refuses
        text = body.decode(errors="replace")
    return escape_invisible(text[:SHOWN]) + ("\n…" if len(text) > SHOWN else "")
