"""`users/*` and `accounts/*`: who there is. In preview. Attributes are named without `@` here (`user_email`)."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from dd_pa.query.envelope import AnswerPart, Number, Request, RequestPart
from dd_pa.query.rows import Row, Rows


class AudienceSort(RequestPart, frozen=True):
    """Which come first."""

    field: str | None = None
    order: str | None = None
    """`ASC` or `DESC`."""


class Hits(AnswerPart, frozen=True):
    """Users or accounts."""

    hits: list[Row] = field(default_factory=list)
    total: int | None = None
    """How many there are without the limit."""

    @property
    def rows(self) -> Rows:
        """The rows, by attribute."""
        return Rows(self.hits)


class UsersRequest(Request[Hits], frozen=True):
    """Users by their attributes."""

    path: ClassVar[str] = "/api/v2/product-analytics/users/query"
    resource: ClassVar[str] = "query_users_request"
    has_id: ClassVar[bool] = True
    told: ClassVar[Any] = Hits

    query: str | None = None
    select_columns: list[str] | None = None
    sort: AudienceSort | None = None
    limit: int | None = None
    wildcard_search_term: str | None = None


class AccountsRequest(Request[Hits], frozen=True):
    """Accounts by their attributes."""

    path: ClassVar[str] = "/api/v2/product-analytics/accounts/query"
    resource: ClassVar[str] = "query_account_request"
    has_id: ClassVar[bool] = True
    told: ClassVar[Any] = Hits

    query: str | None = None
    select_columns: list[str] | None = None
    sort: AudienceSort | None = None
    limit: int | None = None
    wildcard_search_term: str | None = None


class TimeFrame(RequestPart, frozen=True):
    """From when to when: epoch **seconds**, unlike everywhere else."""

    start: int | None = None
    end: int | None = None


class EventFilter(RequestPart, frozen=True):
    """What the users must have done."""

    query: str | None = None
    time_frame: TimeFrame | None = None


class EventFilteredUsersRequest(Request[Hits], frozen=True):
    """Users by their attributes, and by what they did."""

    path: ClassVar[str] = "/api/v2/product-analytics/users/event_filtered_query"
    resource: ClassVar[str] = "query_event_filtered_users_request"
    has_id: ClassVar[bool] = True
    told: ClassVar[Any] = Hits

    query: str | None = None
    event_query: EventFilter | None = None
    select_columns: list[str] | None = None
    include_row_count: bool | None = None
    limit: int | None = None


class FacetSearch(RequestPart, frozen=True):
    """Whose values are looked at."""

    query: str | None = None


class TermSearch(RequestPart, frozen=True):
    """What a value must contain."""

    value: str | None = None


class FacetValue(AnswerPart, frozen=True):
    """A value, and how many have it."""

    value: Any = None
    count: Number | None = None


class FacetRange(AnswerPart, frozen=True):
    """The least and the greatest value of a number."""

    min: Any = None
    max: Any = None


class FacetResult(AnswerPart, frozen=True):
    """Values, or a range."""

    values: list[FacetValue] | None = None
    range: FacetRange | None = None


class FacetInfo(AnswerPart, frozen=True):
    """The values of an attribute."""

    result: FacetResult | None = None

    @property
    def rows(self) -> Rows:
        """One row a value: `value` and `count`."""
        values = self.result.values if self.result else None
        return Rows({"value": found.value, "count": found.count} for found in values or ())


class UserFacetRequest(Request[FacetInfo], frozen=True):
    """The values of an attribute of users."""

    path: ClassVar[str] = "/api/v2/product-analytics/users/facet_info"
    resource: ClassVar[str] = "users_facet_info_request"
    has_id: ClassVar[bool] = True
    told: ClassVar[Any] = FacetInfo

    facet_id: str
    limit: int
    search: FacetSearch | None = None
    term_search: TermSearch | None = None


class AccountFacetRequest(UserFacetRequest, frozen=True):
    """The values of an attribute of accounts."""

    path: ClassVar[str] = "/api/v2/product-analytics/accounts/facet_info"
