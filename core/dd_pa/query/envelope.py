"""What all operations have in common: JSON:API's envelope around typed attributes, and how an answer is read."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import msgspec

from dd_pa.errors import QueryError

A = TypeVar("A")

Number = int | float


class RequestPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a request; what is left out is not sent."""


class AnswerPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an answer; members that this version does not know are passed over."""


class Meta(AnswerPart, frozen=True):
    """How far an answer is."""

    request_id: str | None = None
    """Names the query while it is worked on."""
    status: str | None = None
    """`done`, `running` or `timeout`; None where the endpoint does not say."""


class _Data(AnswerPart, frozen=True):
    attributes: msgspec.Raw = msgspec.Raw(b"{}")


class _Envelope(AnswerPart, frozen=True):
    data: _Data | None = None
    meta: Meta | None = None


class Query(Protocol[A]):
    """What a client runs: a request, or a builder that becomes one."""

    def request(self, now_ms: int) -> Request[A]:
        """Return the request as it is to be sent at this time."""
        ...


class Request(RequestPart, Generic[A], frozen=True, kw_only=True, omit_defaults=True):
    """The attributes of one request. A subclass says where it goes, and what its answer's attributes are."""

    path: ClassVar[str]
    resource: ClassVar[str]
    """`data.type` of the request."""
    has_id: ClassVar[bool] = False
    """Whether `data.id` is sent, equal to `resource`, as in Datadog's examples of the audience endpoints."""
    told: ClassVar[Any]
    """Type of the answer's attributes."""

    def request(self, now_ms: int) -> Self:
        """Return itself: its times are fixed."""
        return self

    def encode(self, request_id: str | None = None) -> bytes:
        """Return the body; with `request_id`, to go on with a query that is still worked on where the schema can."""
        attributes: Request[A] = self
        if request_id is not None and "request_id" in self.__struct_fields__:
            attributes = msgspec.structs.replace(self, request_id=request_id)
        data: dict[str, object] = {"type": self.resource, "attributes": attributes}
        if self.has_id:
            data["id"] = self.resource
        return msgspec.json.encode({"data": data})

    def decode(self, body: bytes) -> tuple[Meta, A | None]:
        """Read an answer; None while it is not complete. Raises `QueryError` where it is not what is documented."""
        try:
            envelope = _envelope.decode(body)
            meta = envelope.meta or Meta()
            if meta.status in ("running", "timeout"):
                return meta, None
            return meta, self.answer(_decoder(self.told).decode((envelope.data or _Data()).attributes))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise QueryError(f"the answer of {self.path} is not as documented: {error}") from None

    def answer(self, told: Any) -> A:
        """Return what the caller gets for the answer's attributes."""
        found: A = told
        return found


_envelope = msgspec.json.Decoder(_Envelope)


@cache
def _decoder(told: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(told)
