"""PeerTube: videos, from upstream's image."""

from collections.abc import Sequence
from typing import get_args

from fedikit.catalogue.peertube_settings import PeertubeSettings, Resolution
from fedikit.model import (
    Limits,
    LocalPort,
    MailRelay,
    ObjectBucket,
    OtherServers,
    Recipe,
    SecretRef,
    Shown,
    WebApplication,
)

PRIVATE = ("ORIGINAL_VIDEO_FILES", "USER_EXPORTS")


class Peertube(WebApplication[PeertubeSettings]):
    """A video server: people upload films, others watch and follow them from anywhere in the fediverse."""

    name = "peertube"
    image = "docker.io/chocobozzz/peertube:v8.3.1"
    limits = Limits(rights="an administrator", reserved=("peertube",), password_bytes=50)

    def recipe(self, r: Recipe, s: PeertubeSettings) -> None:
        database = r.postgresql(
            env="PEERTUBE_DB_HOSTNAME PEERTUBE_DB_PORT PEERTUBE_DB_NAME PEERTUBE_DB_USERNAME PEERTUBE_DB_PASSWORD",
            extensions=("pg_trgm", "unaccent"),
        )
        r.cache(env="PEERTUBE_REDIS_HOSTNAME PEERTUBE_REDIS_PORT PEERTUBE_REDIS_AUTH")
        mail, others, port = r.mail(), r.other_servers(), r.port("", 9000)
        streams = [r.port("rtmp", 1935)] if s.live else []
        _keep_media(r, r.bucket(public="media", shows=_shown(r)), r.bucket("private"))
        r.env(PEERTUBE_WEBSERVER_HOSTNAME=r.domain, PEERTUBE_LISTEN_HOSTNAME="127.0.0.1")
        r.env(PEERTUBE_LISTEN_PORT=port.number)
        _speak_with_others(r, others)
        r.env(PEERTUBE_DB_SSL=database.if_encrypted("true", "false"))
        _keep_secrets(r)
        _introduce(r, s)
        _let_in(r, s, mail)
        _offer_films(r, s)
        _send_mail(r, mail)
        _run(r, s, port, streams)
        _appoint(r, port)
        r.site({"/*": port}, max_body_megabytes=1_000_000)  # quotas are the limit: uploads come in pieces
        r.answers("/api/v1/ping", contains="pong")
        r.answers("/api/v1/config", contains="serverVersion")
        r.nodeinfo()
        r.newest_post("/api/v1/videos?sort=-publishedAt&isLocal=true&count=1", within="data")


def _speak_with_others(r: Recipe, others: OtherServers) -> None:
    r.env(PEERTUBE_TRUST_PROXY=others.proxies_json)
    r.env(PEERTUBE_FEDERATION_PREVENT_SSRF=others.if_private("false", "true"))
    r.env(NODE_EXTRA_CA_CERTS=others.ca_file)


def _keep_secrets(r: Recipe) -> None:
    r.env(PEERTUBE_SECRET=r.secret("secret", "hex64", permanent=True), PEERTUBE_ADMIN_EMAIL=r.person.email)
    r.env(PT_INITIAL_ROOT_PASSWORD=_first_password(r))
    r.env(PEERTUBE_LOG_LEVEL="warn")  # "info" tells that password, "debug" what every session is known by


def _first_password(r: Recipe) -> SecretRef:
    """Root's, which PeerTube tells its log; the script that makes the initial user puts another one in its place."""
    return r.secret("root", permanent=True)


def _introduce(r: Recipe, s: PeertubeSettings) -> None:
    r.env(PEERTUBE_INSTANCE_NAME=s.title or r.domain, PEERTUBE_INSTANCE_DESCRIPTION=s.description or None)


def _let_in(r: Recipe, s: PeertubeSettings, mail: MailRelay) -> None:
    r.env(PEERTUBE_SIGNUP_ENABLED=s.registrations != "none")
    r.env(PEERTUBE_SIGNUP_REQUIRES_APPROVAL=s.registrations == "approved")
    r.env(PEERTUBE_SIGNUP_REQUIRES_EMAIL_VERIFICATION=mail.if_enabled("true", "false"))
    r.env(PEERTUBE_SIGNUP_LIMIT=str(s.max_users or -1))


def _offer_films(r: Recipe, s: PeertubeSettings) -> None:
    r.env(PEERTUBE_LIVE_ALLOW_REPLAY=s.transcoding)
    r.env(PEERTUBE_LIVE_TRANSCODING_REMOTE_RUNNERS_ENABLED=s.remote_runners)


def _send_mail(r: Recipe, mail: MailRelay) -> None:
    r.env(PEERTUBE_SMTP_HOSTNAME=mail.host, PEERTUBE_SMTP_PORT=mail.port)
    r.env(PEERTUBE_SMTP_USERNAME=mail.user, PEERTUBE_SMTP_PASSWORD=mail.password, PEERTUBE_SMTP_FROM=mail.sender)
    r.env(PEERTUBE_SMTP_TLS=mail.by_encryption(none="false", starttls="false", tls="true"))
    r.env(PEERTUBE_SMTP_DISABLE_STARTTLS=mail.by_encryption(none="true", starttls="false", tls="true"))


def _run(r: Recipe, s: PeertubeSettings, port: LocalPort, streams: Sequence[LocalPort]) -> None:
    for rtmp in streams:
        r.env(PEERTUBE_LIVE_RTMP_PORT=rtmp.number)
    for resolution in get_args(Resolution) if s.transcoding_resolutions else ():
        names = (f"PEERTUBE_{live}TRANSCODING_{resolution.upper()}" for live in ("", "LIVE_"))
        r.env(**dict.fromkeys(names, resolution in s.transcoding_resolutions))
    data = r.volume("data", "/data", owner=999, leave_out=("cache", "logs", "tmp"))
    r.container(
        "",
        port=port,
        also_at=streams,
        open_at=streams,
        live="/api/v1/ping",
        user="999:999",
        volumes=(data, r.volume("config", "/config", owner=999)),
        start_seconds=3600,  # it migrates its database before it answers
        stop_signal="SIGINT",  # the only one that it heeds
    )


def _appoint(r: Recipe, port: LocalPort) -> None:
    person = (r.person.username, r.person.email, r.person.display_name)
    own = r.secret("administrator", permanent=True)
    passwords = (_first_password(r), "\n", own, "\n", r.password)
    r.task(None, "initial user", "peertube_account.py", port.number, r.domain, *person, stdin=passwords)


def _shown(r: Recipe) -> tuple[Shown, ...]:
    """Upstream keeps files of private videos beside the others, and would know them by their ACL.

    So it is asked for each, as somebody would whom it knows nothing of but a password that no video can have (one
    letter). It gives a byte of the file, which is a success, or says no.
    """
    headers, doors = {"X_PeerTube_Video_Password": "-", "Range": "bytes=0-0"}, "/object-storage-proxy"
    return (
        Shown(prefix="captions/"),  # to upstream, those of private videos too are public
        Shown(prefix="web-videos/", permission=r.permission(f"{doors}/web-videos/private/{{1}}", **headers)),
        Shown(
            prefix="streaming-playlists/",
            permission=r.permission(f"{doors}/streaming-playlists/hls/private/{{2}}/{{3}}", **headers),
        ),
    )


def _keep_media(r: Recipe, media: ObjectBucket, private: ObjectBucket) -> None:
    """Videos and captions, with a prefix for each kind, and in a bucket of its own what nobody else may read."""
    r.env(
        PEERTUBE_OBJECT_STORAGE_ENABLED="true",
        PEERTUBE_OBJECT_STORAGE_ENDPOINT=media.endpoint,
        PEERTUBE_OBJECT_STORAGE_REGION=media.region,
        PEERTUBE_OBJECT_STORAGE_FORCE_PATH_STYLE="true",
        PEERTUBE_OBJECT_STORAGE_CREDENTIALS_ACCESS_KEY_ID=media.key_id,
        PEERTUBE_OBJECT_STORAGE_CREDENTIALS_SECRET_ACCESS_KEY=media.key_secret,
        PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PUBLIC=media.acl_public,
        PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PRIVATE=media.acl_private,
        PEERTUBE_OBJECT_STORAGE_PROXY_PROXIFY_PRIVATE_FILES="true",
        PEERTUBE_EXPORT_USERS_ENABLED="false",  # they are fetched from the S3 API, where no visitor gets
    )
    for kind in ("STREAMING_PLAYLISTS", "WEB_VIDEOS", "CAPTIONS", "ORIGINAL_VIDEO_FILES", "USER_EXPORTS"):
        place, prefix = f"PEERTUBE_OBJECT_STORAGE_{kind}", kind.lower().replace("_", "-")
        bucket = private if kind in PRIVATE else media
        r.env(**{f"{place}_BUCKET_NAME": bucket.bucket, f"{place}_BASE_URL": bucket.public_url})
        r.env(**{f"{place}_PREFIX": f"{prefix}/"})
