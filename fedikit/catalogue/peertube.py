"""PeerTube: videos, from upstream's image."""

from typing import get_args

from fedikit.catalogue.peertube_settings import PeertubeSettings, Resolution
from fedikit.model import Limits, ObjectBucket, Recipe, Shown, WebApplication

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
        _store(r, r.bucket(public="media", shows=_shown(r)), r.bucket("private"))
        # Root's first password, which PeerTube tells its log, and the one that the script below puts in its place
        first, own = r.secret("root", permanent=True), r.secret("administrator", permanent=True)
        r.env(
            PEERTUBE_WEBSERVER_HOSTNAME=r.domain,
            PEERTUBE_LISTEN_HOSTNAME="127.0.0.1",
            PEERTUBE_LISTEN_PORT=port.number,
            PEERTUBE_TRUST_PROXY=others.proxies_json,
            PEERTUBE_FEDERATION_PREVENT_SSRF=others.if_private("false", "true"),
            NODE_EXTRA_CA_CERTS=others.ca_file,
            PEERTUBE_DB_SSL=database.if_encrypted("true", "false"),
            PEERTUBE_SECRET=r.secret("secret", "hex64", permanent=True),
            PEERTUBE_ADMIN_EMAIL=r.person.email,
            PT_INITIAL_ROOT_PASSWORD=first,
            PEERTUBE_LOG_LEVEL="warn",  # "info" tells that password, "debug" what every session is known by
            PEERTUBE_INSTANCE_NAME=s.title or r.domain,
            PEERTUBE_INSTANCE_DESCRIPTION=s.description or None,
            PEERTUBE_SIGNUP_ENABLED="false" if s.registrations == "none" else "true",
            PEERTUBE_SIGNUP_REQUIRES_APPROVAL="true" if s.registrations == "approved" else "false",
            PEERTUBE_SIGNUP_REQUIRES_EMAIL_VERIFICATION=mail.if_enabled("true", "false"),
            PEERTUBE_SIGNUP_LIMIT=str(s.max_users or -1),
            PEERTUBE_LIVE_ALLOW_REPLAY="true" if s.transcoding else "false",
            PEERTUBE_LIVE_TRANSCODING_REMOTE_RUNNERS_ENABLED="true" if s.remote_runners else "false",
            PEERTUBE_SMTP_HOSTNAME=mail.host,
            PEERTUBE_SMTP_PORT=mail.port,
            PEERTUBE_SMTP_USERNAME=mail.user,
            PEERTUBE_SMTP_PASSWORD=mail.password,
            PEERTUBE_SMTP_FROM=mail.sender,
            PEERTUBE_SMTP_TLS=mail.by_encryption(none="false", starttls="false", tls="true"),
            PEERTUBE_SMTP_DISABLE_STARTTLS=mail.by_encryption(none="true", starttls="false", tls="true"),
        )
        for rtmp in streams:
            r.env(PEERTUBE_LIVE_RTMP_PORT=rtmp.number)
        for resolution in get_args(Resolution) if s.transcoding_resolutions else ():
            is_made = "true" if resolution in s.transcoding_resolutions else "false"
            names = (f"PEERTUBE_{live}TRANSCODING_{resolution.upper()}" for live in ("", "LIVE_"))
            r.env(**dict.fromkeys(names, is_made))
        r.container(
            "",
            port=port,
            also_at=streams,
            open_at=streams,
            live="/api/v1/ping",
            user="999:999",
            volumes=(
                r.volume("data", "/data", owner=999, leave_out=("cache", "logs", "tmp")),
                r.volume("config", "/config", owner=999),
            ),
            start_seconds=3600,  # it migrates its database before it answers
            stop_signal="SIGINT",  # the only one that it heeds
        )
        person = (r.person.username, r.person.email, r.person.display_name)
        passwords = (first, "\n", own, "\n", r.password)
        r.task(None, "initial user", "peertube_account.py", port.number, r.domain, *person, stdin=passwords)
        r.site({"/*": port}, max_body_megabytes=1_000_000)  # quotas are the limit: uploads come in pieces
        r.answers("/api/v1/ping", contains="pong")
        r.answers("/api/v1/config", contains="serverVersion")
        r.nodeinfo()
        r.newest_post("/api/v1/videos?sort=-publishedAt&isLocal=true&count=1", within="data")


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


def _store(r: Recipe, media: ObjectBucket, private: ObjectBucket) -> None:
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
