"""What operators may choose of GoToSocial."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model import Line, Subdomain, Upstream, WebSettings
from fedikit.model.person import Chosen
from fedikit.model.value import HttpsUrl

Count = Annotated[int, Field(ge=0)]
Registrations = Literal["approved", "none"]
Exposed = Literal["peers", "blocklist", "allowlist", "public_timeline", "custom_emojis"]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class SignIn(Chosen):
    """Signing in by another service, which speaks OpenID Connect; its secret is given as `gotosocial/oidc-client`."""

    issuer: Annotated[HttpsUrl, Upstream("GTS_OIDC_ISSUER")]
    """The service's address, below which it describes itself."""
    client: Annotated[Line, Field(min_length=1), Upstream("GTS_OIDC_CLIENT_ID")]
    """How the service knows this server."""
    label: Annotated[Line, Field(min_length=1), Upstream("GTS_OIDC_IDP_NAME")] = "OpenID Connect"
    """What the service is called."""
    allowed_groups: Annotated[tuple[Line, ...], Upstream("GTS_OIDC_ALLOWED_GROUPS")] = ()
    """Whose members get in; everybody if empty."""
    admin_groups: Annotated[tuple[Line, ...], Upstream("GTS_OIDC_ADMIN_GROUPS")] = ()
    """Whose members administer the server."""


class GotosocialSettings(WebSettings):
    """The small social network server."""

    subdomain: Subdomain = "gotosocial"
    """What stands before the domain in its web address. Can never change."""
    short_handles: Annotated[bool, Upstream("GTS_ACCOUNT_DOMAIN", writes=False)] = False
    """People are known by the bare domain, as @alice@example.org, while the web address stays. Can never change."""
    registrations: Annotated[Registrations, Upstream("GTS_ACCOUNTS_REGISTRATION_OPEN", writes=False)] = "none"
    """Who may sign up: whom an administrator approves, which needs mail, or nobody."""
    reason_required: Annotated[bool, Upstream("GTS_ACCOUNTS_REASON_REQUIRED")] = True
    """Who signs up says why."""
    registrations_a_day: Annotated[Count, Upstream("GTS_ACCOUNTS_REGISTRATION_DAILY_LIMIT")] = 10
    """How many may be approved in a day before nobody else can sign up; any number if 0."""
    registrations_waiting: Annotated[Count, Upstream("GTS_ACCOUNTS_REGISTRATION_BACKLOG_LIMIT")] = 20
    """How many may wait for approval before nobody else can sign up; any number if 0."""
    sign_in: SignIn | None = None
    """Signing in by OpenID Connect, instead of with passwords."""
    languages: Annotated[tuple[Language, ...], Upstream("GTS_INSTANCE_LANGUAGES")] = ()
    """What is spoken there, such as `de` and `pt-BR`, the most usual first."""
    landing_page_user: Annotated[str, Field(pattern="^[a-z0-9_]*$"), Upstream("GTS_LANDING_PAGE_USER")] = ""
    """Whose profile visitors see first; a page about the server if empty."""
    federation: Annotated[Literal["blocklist", "allowlist"], Upstream("GTS_INSTANCE_FEDERATION_MODE")] = "blocklist"
    """Which servers it speaks with: all that are not blocked, or only those that an administrator allows."""
    spam_filter: Annotated[bool, Upstream("GTS_INSTANCE_FEDERATION_SPAM_FILTER")] = False
    """Messages of strangers that look like spam are dropped."""
    exposes: Annotated[tuple[Exposed, ...], Upstream("GTS_INSTANCE_EXPOSE_*", writes=False)] = ()
    """What everybody may see: whom it speaks with, blocks or allows, the public timeline, its own emojis."""
    max_media_megabytes: Annotated[int, Field(ge=1, le=1000), Upstream("GTS_MEDIA_LOCAL_MAX_SIZE", form="{}MiB")] = 40
    """The largest picture or film."""
    max_remote_media_megabytes: Annotated[Count, Upstream("GTS_MEDIA_REMOTE_MAX_SIZE", form="{}MiB")] = 40
    """The largest of other servers that is fetched."""
    remote_media_days: Annotated[Count, Upstream("GTS_MEDIA_REMOTE_CACHE_DAYS")] = 7
    """How long copies of other servers' media are kept; for ever if 0."""
    max_post_characters: Annotated[int, Field(ge=1), Upstream("GTS_STATUSES_MAX_CHARS")] = 5000
    """How long a post may be."""
    max_profile_fields: Annotated[Count, Upstream("GTS_ACCOUNTS_MAX_PROFILE_FIELDS")] = 6
    """How many fields a profile may have."""
    cache_megabytes: Annotated[int, Field(ge=10), Upstream("GTS_CACHE_MEMORY_TARGET", form="{}MiB")] = 100
    """Memory for what was read from the database, roughly."""
    processors: Annotated[int, Field(ge=1, le=256), Upstream("GOMAXPROCS")] = 4
    """How many processors it works on at the same time at most."""
    connections_per_processor: Annotated[int, Field(ge=1, le=64), Upstream("GTS_DB_MAX_OPEN_CONNS_MULTIPLIER")] = 4
    """How many connections to the database it opens for each of them."""
