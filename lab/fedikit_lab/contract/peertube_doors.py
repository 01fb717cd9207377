"""Who may ask PeerTube's stand-in for what, how often, and how it says no."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .peertube_store import ADMINISTRATOR, Store
from .shared import Answer, Request, json_answer
from .tables import Row

Handler = Callable[..., Answer]
Routes = dict[tuple[str, str], Handler]
_API_RATE = (50, 10.0)
_PAGE, _LARGEST_PAGE = 15, 100


class RateLimit:
    """So many requests of one visitor in so many seconds, and no more."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._visits: defaultdict[str, deque[float]] = defaultdict(deque)

    def allows(self, visitor: str) -> bool:
        """Counts a visit; says whether it is still within the limit."""
        visits, now = self._visits[visitor], time.monotonic()
        while visits and visits[0] < now - self._seconds:
            visits.popleft()
        visits.append(now)
        return len(visits) <= self._most


class Doors:
    """Handlers behind a rate, a token or an office; administrators are not limited in how often they come."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._visits = RateLimit(*_API_RATE)

    def for_user(self, handler: Handler) -> Handler:
        """The handler, for who bears a token: it gets the user as well."""

        def answer(request: Request, *parts: str) -> Answer:
            user = self.user(request)
            return handler(request, user, *parts) if user else problem(401, "Unauthorized", "invalid_token")

        return answer

    def for_administrator(self, handler: Handler) -> Handler:
        def answer(request: Request, user: Row, *parts: str) -> Answer:
            if user["role"] != ADMINISTRATOR:
                return problem(403, "You do not have the rights to do this.")
            return handler(request, user, *parts)

        return self.for_user(answer)

    def for_themselves(self, handler: Handler) -> Handler:
        """The handler, for the user whose number is in the path, and for administrators: it gets that user."""

        def answer(request: Request, user: Row, number: str, *parts: str) -> Answer:
            if str(user["id"]) != number and user["role"] != ADMINISTRATOR:
                return problem(403, "You do not have the rights to do this.")
            known = self._store.ask('select * from "user" where id = %s', number) if number.isdigit() else []
            return handler(request, known[0], *parts) if known else problem(404, "User not found")

        return self.for_user(answer)

    def limited(self, routes: Mapping[tuple[str, str], Handler]) -> Routes:
        """The routes within the rate that holds for all of the API."""
        return {route: self.at_rate(handler, self._visits) for route, handler in routes.items()}

    def at_rate(self, handler: Handler, rate: RateLimit) -> Handler:
        """The handler within a visitor's rate."""

        def answer(request: Request, *parts: str) -> Answer:
            if not rate.allows(request.visitor) and not self._is_administrator(request):
                return Answer(429, b"Too many requests, please try again later.")
            return handler(request, *parts)

        return answer

    def _is_administrator(self, request: Request) -> bool:
        user = self.user(request)
        return bool(user and user["role"] == ADMINISTRATOR)

    def user(self, request: Request) -> Row | None:
        """Who bears the token that came along."""
        kind, _, token = request.header("Authorization").partition(" ")
        return self._store.user_of_token(token) if kind == "Bearer" else None


def problem(status: int, detail: str, code: str = "") -> Answer:
    """An error as RFC 7807 has it, which is how upstream tells them."""
    told = {
        "type": "about:blank",
        "status": status,
        "detail": detail,
        "error": detail,
        **({"code": code} if code else {}),
    }
    return json_answer(told, status, "application/problem+json")


def wrong_parameters(names: Iterable[str]) -> Answer:
    return problem(400, f"Incorrect request parameters: {', '.join(names)}")


def paged(request: Request, rows: Iterable[Any]) -> Answer:
    """One page of a list: 15 if no other number is asked for, and never more than 100."""
    start, count = request.query.get("start", "0"), request.query.get("count", str(_PAGE))
    if not (start.isdigit() and count.isdigit() and int(count) <= _LARGEST_PAGE):
        return wrong_parameters(["start", "count"])
    data = list(rows)
    return json_answer({"total": len(data), "data": data[int(start) :][: int(count)]})
