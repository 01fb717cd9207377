"""GoToSocial: a small social network server, from upstream's image. Its words are those of upstream's configuration."""

from typing import Any

from fedikit.catalogue.gotosocial_settings import GotosocialSettings
from fedikit.model import Limits, Recipe, SecretRef, WebApplication
from fedikit.model.upstream import upstream_values

CACHE = "/gotosocial/.cache"
MOVED = ("/.well-known/webfinger", "/.well-known/host-meta", "/.well-known/nodeinfo")
NET_SMTP: dict[str, Any] = {"encryptions": ("starttls", "none"), "authentications": ("plain",), "keeps_password": True}
"""What Go's net/smtp can do, by which it sends."""
COMMAND_CONNECTIONS = 2
"""For the commands that make and change accounts."""


class Gotosocial(WebApplication[GotosocialSettings]):
    """A small social network server, made for few people, that apps for Mastodon work with."""

    name = "gotosocial"
    memory_megabytes = 1000
    image = "docker.io/superseriousbusiness/gotosocial:0.22.2"
    limits = Limits(
        rights="an administrator",
        address="stays",
        password_bytes=72,
        password_bits=60,
        email=r"[^.@]+(\.[^.@]+)*@.*",
        email_words="have dots apart",
    )

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
        cache = r.volume("cache", CACHE, owner=1000, is_cache=True)
        server = r.container("", port=port, live="/livez", ready="/readyz", volumes=(cache,), stop_seconds=100)
        owner = (port.number, r.domain, server.name, r.person.username, r.person.email, r.person.display_name)
        r.task(None, "initial user", "gotosocial_account.py", *owner, stdin="" if s.sign_in else r.password)
        r.site({"/*": port}, max_body_megabytes=s.max_media_megabytes * 105 // 100 + 10, buffered=True)
        if s.short_handles:
            r.site({}, domain=r.context.domain, redirects=dict.fromkeys(MOVED, r.domain))
        r.answers("/api/v1/instance", contains=r.domain)
        r.nodeinfo()
        r.webfinger(domain=handles)
        if "public_timeline" in s.exposes:
            r.newest_post("/api/v1/timelines/public?local=true&limit=1")
        else:
            r.newest_post(f"/@{r.person.username}", form="page")
