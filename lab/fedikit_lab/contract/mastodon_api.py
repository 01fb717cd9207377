"""The part of Mastodon's API that its own web client needs to post a picture."""

from collections.abc import Callable

from .mastodon_database import Row
from .mastodon_posts import Posts, Unprocessable
from .mastodon_sessions import Sessions
from .mastodon_settings import Settings
from .shared import Answer, Request, json_answer

_ACCEPTED, _PARTIAL = 202, 206


class Api:
    """Everything is asked with a token of the API, except what is public."""

    def __init__(self, settings: Settings, sessions: Sessions, posts: Posts) -> None:
        self._is_closed, self._sessions, self._posts = settings.federation.limited, sessions, posts

    def routes(self) -> dict[tuple[str, str], Callable[..., Answer]]:
        return {
            ("GET", "/api/v1/accounts/verify_credentials"): self._verified(self._who),
            ("GET", "/api/v1/accounts/{number}/statuses"): self._public,
            ("GET", "/api/v1/timelines/home"): self._verified(self._home),
            ("GET", "/api/v1/timelines/public"): self._newest,
            ("POST", "/api/v2/media"): self._verified(self._upload),
            ("GET", "/api/v1/media/{number}"): self._verified(self._media),
            ("POST", "/api/v1/statuses"): self._verified(self._publish),
        }

    def _verified(self, handler: Callable[..., Answer]) -> Callable[..., Answer]:
        def answer(request: Request, *steps: str) -> Answer:
            user = self._sessions.bearer(request)
            if not user:
                return _error("The access token is invalid", 401)
            if not user["is_active"]:
                return _error("Your login is missing a confirmed e-mail address", 403)
            try:
                return handler(request, user, *steps)
            except Unprocessable as error:
                return _error(str(error), 422)

        return answer

    def _who(self, request: Request, user: Row) -> Answer:
        names = {name: user[name] for name in ("username", "display_name")}
        return json_answer({"id": str(user["account_id"]), "acct": user["username"], **names})

    def _home(self, request: Request, user: Row) -> Answer:
        return json_answer(self._posts.home(user["account_id"]))

    def _upload(self, request: Request, user: Row) -> Answer:
        media = self._posts.attach(user["account_id"], request.files().get("file"))
        return json_answer(media, 200 if media["url"] else _ACCEPTED)

    def _media(self, request: Request, user: Row, number: str) -> Answer:
        media = self._posts.attachment(user["account_id"], int(number)) if number.isdecimal() else None
        if not media:
            return _error("Record not found", 404)
        return json_answer(media, 200 if media["url"] else _PARTIAL)

    def _publish(self, request: Request, user: Row) -> Answer:
        order = request.json()
        if not isinstance(order, dict):
            order = request.fields()
        numbers = [int(number) for number in order.get("media_ids") or [] if str(number).isdecimal()]
        return json_answer(self._posts.publish(user["account_id"], str(order.get("status") or ""), numbers))

    def _newest(self, request: Request) -> Answer:
        limit = request.query.get("limit", "20")
        return self._to_members(request) or json_answer(self._posts.newest(min(40, int(limit))))

    def _to_members(self, request: Request) -> Answer | None:
        """What is said to others, where only members see posts."""
        if self._is_closed and not self._sessions.bearer(request):
            return _error("This method requires an authenticated user", 401)
        return None

    def _public(self, request: Request, number: str) -> Answer:
        if refusal := self._to_members(request):
            return refusal
        return json_answer(self._posts.of(int(number))) if number.isdecimal() else _error("Record not found", 404)


def _error(text: str, status: int) -> Answer:
    return json_answer({"error": text}, status)
