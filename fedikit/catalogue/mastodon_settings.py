"""What an operator may set of Mastodon, with upstream's names."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from fedikit.model import Line, Person, Subdomain, Upstream, WebSettings
from fedikit.model.person import Chosen
from fedikit.model.value import EmailAddress, HttpsUrl

_OTHER_CONNECTIONS = 15
Words = Annotated[Line, StringConstraints(strip_whitespace=True, min_length=1)]


class SignIn(Chosen):
    """Signing in by another service, which speaks OpenID Connect; its secret is given as `mastodon/oidc-client`."""

    issuer: Annotated[HttpsUrl, Upstream("OIDC_ISSUER")] = Field(
        description="The service's address, below which it describes itself."
    )
    client: Annotated[Words, Upstream("OIDC_CLIENT_ID")] = Field(description="How the service knows this server.")
    label: Annotated[Line, Upstream("OIDC_DISPLAY_NAME")] = Field(
        "OpenID Connect", description="What stands on the button."
    )
    scopes: Annotated[tuple[Words, ...], Field(min_length=1), Upstream("OIDC_SCOPE")] = (
        "openid",
        "profile",
        "email",
    )
    """What the service is asked for."""
    name_field: Annotated[Words, Upstream("OIDC_UID_FIELD")] = Field(
        "preferred_username", description="What names an account there; names here are made of it."
    )
    trusts_addresses: Annotated[bool, Upstream("OIDC_SECURITY_ASSUME_EMAIL_IS_VERIFIED")] = False
    """Whether e-mail addresses are taken as confirmed, though the service does not say that they are."""
    exclusive: Annotated[bool, Upstream("OMNIAUTH_ONLY")] = False
    """Whether nobody signs in with a password here, not even the initial user."""


class MastodonSettings(WebSettings):
    """The social network server."""

    subdomain: Subdomain = Field(
        "mastodon", description="What stands before the domain in its web address. Can never change."
    )
    short_handles: Annotated[bool, Upstream("LOCAL_DOMAIN", writes=False)] = False
    """People are known by the bare domain, as @alice@example.org, while the web address stays. Can never change."""
    registrations: Annotated[
        Literal["open", "approved", "none"], Upstream("Setting registrations_mode", writes=False)
    ] = "none"
    """Who may sign up: everybody, whom an administrator approves, or nobody. All but the last need mail."""
    registrations_stay_open: Annotated[bool, Upstream("DISABLE_AUTOMATIC_SWITCHING_TO_APPROVED_REGISTRATIONS")] = False
    """Open registrations stay so; else Mastodon asks for approval once no moderator was there for a week."""
    title: Annotated[Line, Upstream("Setting site_title", writes=False)] = Field(
        "", max_length=100, description="The server's title; what administrators have set if empty."
    )
    description: Annotated[Line, Upstream("Setting site_short_description", writes=False)] = Field(
        "", max_length=200, description="A sentence about the server; what administrators have set if empty."
    )
    contact_email: Annotated[EmailAddress | Literal[""], Upstream("Setting site_contact_email", writes=False)] = ""
    """Whom visitors may write to; everybody sees it."""
    contact_account: Annotated[
        str, Field(pattern=r"^([a-z0-9_]{1,30})?$"), Upstream("Setting site_contact_username", writes=False)
    ] = ""
    """The account that stands beside the address; the initial user's if empty."""
    rules: Annotated[tuple[Annotated[Words, Field(max_length=300)], ...], Upstream("Rule", writes=False)] = ()
    """The server's rules, in their order, besides those that administrators write."""
    remote_media_days: Annotated[
        int | None, Field(ge=1), Upstream("Setting media_cache_retention_period", writes=False)
    ] = 14
    """How long copies of other servers' media are kept; for ever if null. Links may lose their previews below 14."""
    max_media_gigabytes: Annotated[int, Field(ge=1)] | None = None
    """How much media may be kept; as much as there is room for if absent."""
    bucket_seconds: Annotated[int, Field(ge=1, le=60), Upstream("S3_READ_TIMEOUT")] = 5
    """How long the bucket may take to answer."""
    locale: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Z][A-Za-z]+)?$"), Upstream("DEFAULT_LOCALE")] = "en"
    """The language of pages and mails for who has chosen none, such as `pt-BR`; English if Mastodon lacks it."""
    single_user: Annotated[bool, Upstream("SINGLE_USER_MODE")] = False
    """The server is one person's: its front page is the profile, and nobody may sign up."""
    authorized_fetch: Annotated[bool | None, Upstream("AUTHORIZED_FETCH")] = None
    """Only servers that say who they are get posts and profiles; an administrator decides if absent."""
    limited_federation: Annotated[bool, Upstream("LIMITED_FEDERATION_MODE")] = False
    """Only servers that an administrator allows are spoken with, and only members see profiles and posts."""
    sign_in: SignIn | None = None
    """Signing in by OpenID Connect."""
    web_processes: Annotated[int, Field(ge=0, le=32), Upstream("WEB_CONCURRENCY")] = 2
    """Processes that answer the web; each takes about 300 MB of memory. With 0, one that does not fork."""
    web_threads: Annotated[int, Field(ge=1, le=50), Upstream("MAX_THREADS")] = 5
    """Requests that each of them answers at the same time."""
    background_threads: Annotated[int, Field(ge=1, le=50), Upstream("SIDEKIQ_CONCURRENCY")] = 5
    """Jobs that run at the same time in the background."""

    @property
    def connections(self) -> int:
        """How many are open to PostgreSQL at the same time: one a thread, ten by streaming, and those of tasks."""
        web = max(1, self.web_processes) * self.web_threads
        return web + self.background_threads + _OTHER_CONNECTIONS

    def kept_in_database(self, person: Person) -> dict[str, object]:
        """What Mastodon itself keeps, by its names; what is empty here is left to administrators."""
        contact = (self.contact_account or person.username) if self.contact_email else ""
        words = {
            "site_title": self.title,
            "site_short_description": self.description,
            "site_contact_username": contact,
            "site_contact_email": self.contact_email,
            "rules": self.rules,
        }
        days = "" if self.remote_media_days is None else self.remote_media_days
        chosen = {"registrations_mode": self.registrations, "media_cache_retention_period": days}
        return chosen | {name: value for name, value in words.items() if value}
