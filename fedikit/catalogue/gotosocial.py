"""GoToSocial: a small social network server, from upstream's image. Its words are those of upstream's configuration."""

from typing import Annotated, Any, Literal

from pydantic import Field

from fedikit.model import Limits, Line, Recipe, SecretRef, Subdomain, Upstream, WebApplication, WebSettings
from fedikit.model.person import Chosen
from fedikit.model.upstream import upstream_values
from fedikit.model.value import HttpsUrl

CACHE = "/gotosocial/.cache"
MOVED = ("/.well-known/webfinger", "/.well-known/host-meta", "/.well-known/nodeinfo")
NET_SMTP: dict[str, Any] = {"encryptions": ("starttls", "none"), "authentications": ("plain",), "keeps_password": True}
"""What Go's net/smtp can do, by which it sends."""
COMMAND_CONNECTIONS = 2
"""For the commands that make and change accounts."""
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


class Gotosocial(WebApplication[GotosocialSettings]):
    """A small social network server, made for few people, that apps for Mastodon work with."""

    name = "gotosocial"
    image = "docker.io/superseriousbusiness/gotosocial:0.22.2"
    limits = Limits(password_bytes=72, password_bits=60, email=r"[^.@]+(\.[^.@]+)*@.*", email_words="have dots apart")

    def recipe(self, r: Recipe, s: GotosocialSettings) -> None:
        is_open, handles = s.registrations == "approved", r.context.domain if s.short_handles else r.domain
        r.handles(handles)
        database = r.postgresql(
            env="GTS_DB_ADDRESS GTS_DB_PORT GTS_DB_DATABASE GTS_DB_USER GTS_DB_PASSWORD",
            connections=s.processors * s.connections_per_processor + COMMAND_CONNECTIONS,
        )
        media, others, port = r.bucket(), r.other_servers(), r.port("web", 8081)  # 8080 is Pixelfed's
        needed_for = "registrations: newcomers confirm their address" if is_open else ""
        mail = r.mail(needed_for=needed_for, **NET_SMTP)
        r.env(GTS_HOST=r.domain, GTS_ACCOUNT_DOMAIN=handles, GTS_BIND_ADDRESS="127.0.0.1", GTS_PORT=port.number)
        r.env(GTS_TRUSTED_PROXIES=others.proxies, GTS_HTTP_CLIENT_ALLOW_IPS=others.private_networks)
        r.env(GTS_ACCOUNTS_REGISTRATION_OPEN=str(is_open).lower(), GTS_DB_TYPE="postgres", GTS_STORAGE_BACKEND="s3")
        r.env(GTS_DB_TLS_MODE=database.if_encrypted("enable", "disable"), GTS_WAZERO_COMPILATION_CACHE=CACHE)
        r.env(GTS_STORAGE_S3_PROXY="true", GTS_STORAGE_S3_BUCKET_LOOKUP="path", GTS_STORAGE_S3_BUCKET=media.bucket)
        r.env(GTS_STORAGE_S3_ENDPOINT=media.endpoint_host, GTS_STORAGE_S3_USE_SSL=media.if_encrypted("true", "false"))
        r.env(GTS_STORAGE_S3_ACCESS_KEY=media.key_id, GTS_STORAGE_S3_SECRET_KEY=media.key_secret)
        r.env(**{f"GTS_INSTANCE_EXPOSE_{one.upper()}": "true" for one in s.exposes})
        r.env(GTS_SMTP_HOST=mail.host, GTS_SMTP_PORT=mail.port, GTS_SMTP_FROM=mail.sender)
        r.env(GTS_SMTP_USERNAME=mail.user, GTS_SMTP_PASSWORD=mail.password)
        if s.sign_in:
            r.env(GTS_OIDC_ENABLED="true", GTS_OIDC_LINK_EXISTING="true", **dict(upstream_values(s.sign_in)))
            r.env(GTS_OIDC_CLIENT_SECRET=SecretRef(name="gotosocial/oidc-client", given=True))
        cache = r.volume("cache", CACHE, owner=1000)
        server = r.container("", port=port, live="/livez", ready="/readyz", volumes=(cache,), stop_seconds=100)
        owner = (port.number, r.domain, server.name, r.person.username, r.person.email, r.person.display_name)
        r.task(None, "initial user", "gotosocial_account.py", *owner, stdin="" if s.sign_in else r.password)
        r.site({"/*": port}, max_body_megabytes=s.max_media_megabytes * 105 // 100 + 10, buffered=True)
        if s.short_handles:
            r.site({}, domain=r.context.domain, redirects=dict.fromkeys(MOVED, r.domain))
        r.answers("/api/v1/instance", contains=r.domain)
        r.nodeinfo()
        r.webfinger(domain=handles)
