"""When a query is tried again: tenacity's loops, with our rules."""

from __future__ import annotations

from typing import Any, TypedDict

import tenacity
from tenacity import AsyncRetrying, RetryCallState, Retrying

from dd_pa.errors import QueryRateLimitError
from dd_pa.query.query_exchange import QueryExchange, UnfinishedQuery

__all__ = ["AsyncRetrying", "Retrying", "policy"]

_after_failure = tenacity.wait_random_exponential(multiplier=0.5, max=10)
_while_working = tenacity.wait_exponential(multiplier=0.2, exp_base=1.5, max=3)


class Policy(TypedDict):
    """What both loops are made with."""

    retry: tenacity.retry_if_exception
    wait: Any
    stop: Any
    retry_error_callback: Any


def policy(exchange: QueryExchange[Any]) -> Policy:
    """Return the rules for one query."""

    def give_up(state: RetryCallState) -> None:
        raise exchange.gave_up(_error(state)) from None

    return {
        "retry": tenacity.retry_if_exception(exchange.is_worth_another),
        "wait": _wait,
        "stop": lambda state: exchange.is_over(state.upcoming_sleep),
        "retry_error_callback": give_up,
    }


def _wait(state: RetryCallState) -> float:
    error = _error(state)
    if isinstance(error, QueryRateLimitError) and error.reset is not None:
        return error.reset
    return (_while_working if isinstance(error, UnfinishedQuery) else _after_failure)(state)


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
