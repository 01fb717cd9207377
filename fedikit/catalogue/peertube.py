"""PeerTube: videos, from upstream's image."""

from typing import Annotated, Literal

from pydantic import Field


from fedikit.model import (
    Application,
    Cache,
    Check,
    Container,
    Context,
    HostItems,
    HttpAnswers,
    HttpHealth,
    Job,
    Line,
    MailRelay,
    NodeInfo,
    ObjectBucket,
    Person,
    PostgresDatabase,
    Requests,
    Route,
    SecretRef,
    SecretText,
    Settings,
    Subdomain,
    Text,
    Variables,
    Volume,
    WebSite,
    initial_password,
)

ACCOUNT_SCRIPT = ""
IMAGE = "docker.io/chocobozzz/peertube:v8.3.1"
PORT, CACHE_PORT = 9000, 6402
OWNER = 999
KINDS_OF_OBJECTS = ("streaming_playlists", "web_videos", "original_video_files", "user_exports", "captions")
_GIGABYTE = 10**9


class PeertubeSettings(Settings):
    """The video server."""

    subdomain: Subdomain = "peertube"
    """What stands before the domain in its web address. Can never change."""
    registrations: Literal["open", "none"] = "none"
    """Who may sign up: everybody, or nobody."""
    title: Annotated[Line, Field(max_length=100)] = ""
    """The server's title; its web address if empty."""
    description: Annotated[Line, Field(max_length=500)] = ""
    """A sentence about the server."""
    transcoding: bool = True
    """Whether videos are turned into forms that every browser plays. Takes much of the processor."""
    max_upload_gigabytes: Annotated[int, Field(ge=1, le=1000)] = 12
    """The largest video."""
    user_quota_gigabytes: Annotated[int, Field(ge=1)] | None = None
    """How much each user may keep; as much as there is room for if absent."""


class Peertube(Application[PeertubeSettings]):
    """A video server: people upload films, others watch and follow them from anywhere in the fediverse."""

    name = "peertube"

    def requests(self, settings: PeertubeSettings, context: Context) -> Requests:
        domain, person = context.site(settings.subdomain), context.initial_user
        database = PostgresDatabase(name="peertube", extensions=("pg_trgm", "unaccent"))
        cache = Cache(name="peertube", at=CACHE_PORT)
        media = ObjectBucket(name="peertube", public_at=f"media.{domain}")
        mail = MailRelay(domain=domain)
        variables = Variables(
            name="peertube",
            values={
                **_server(domain, settings, person),
                **_database(database),
                **_cache(cache),
                **_media(media),
                **_mail(mail),
            },
        )
        return {
            "database": database,
            "cache": cache,
            "media": media,
            "mail": mail,
            "server": Container(
                name="peertube",
                image=IMAGE,
                variables=variables,
                user=f"{OWNER}:{OWNER}",
                volumes=(
                    Volume(name="peertube-data", mount="/data", owner=OWNER),
                    Volume(name="peertube-config", mount="/config", owner=OWNER),
                ),
                ports=(PORT,),
                health=HttpHealth(port=PORT, path="/api/v1/ping", domain=domain),
                stop_seconds=60,
            ),
            "account": HostItems(items=(_account(domain, person),)),
            "site": WebSite(
                domain=domain, routes=(Route(port=PORT),), max_body_megabytes=settings.max_upload_gigabytes * 1000
            ),
        }

    def checks(self, settings: PeertubeSettings, context: Context) -> list[Check]:
        domain = context.site(settings.subdomain)
        return [
            HttpAnswers(application=self.name, url=f"https://{domain}/api/v1/ping", contains="pong"),
            HttpAnswers(application=self.name, url=f"https://{domain}/api/v1/config", contains="serverVersion"),
            NodeInfo(application=self.name, domain=domain, software="peertube"),
        ]


def _root_password(person: Person) -> SecretRef:
    """PeerTube's own administrator is always called root; he is the initial user only if that one is called so.

    PeerTube takes the password at its first start only, so another version of it would not open anything.
    """
    if person.username == "root":
        return initial_password("peertube")
    return SecretRef(name="peertube/root", permanent=True)


def _account(domain: str, person: Person) -> Job:
    command = ("python3", "-I", "-c", ACCOUNT_SCRIPT)
    account = (f"http://127.0.0.1:{PORT}", domain, person.username, person.email, person.display_name)
    return Job(
        name="peertube initial user",
        run=(*command, "make", *account),
        check=(*command, "check", *account),
        stdin=SecretText(parts=(_root_password(person), "\n", initial_password("peertube"))),
    )


def _server(domain: str, settings: PeertubeSettings, person: Person) -> dict[str, Text]:
    quota = settings.user_quota_gigabytes
    return {
        "PEERTUBE_WEBSERVER_HOSTNAME": domain,
        "PEERTUBE_WEBSERVER_PORT": "443",
        "PEERTUBE_WEBSERVER_HTTPS": "true",
        "PEERTUBE_LISTEN_HOSTNAME": "127.0.0.1",
        "PEERTUBE_LISTEN_PORT": str(PORT),
        "PEERTUBE_TRUST_PROXY": '["127.0.0.1"]',
        "PEERTUBE_SECRET": SecretRef(name="peertube/secret", format="hex64", permanent=True),
        "PEERTUBE_ADMIN_EMAIL": person.email,
        "PT_INITIAL_ROOT_PASSWORD": _root_password(person),
        "PEERTUBE_INSTANCE_NAME": settings.title or domain,
        "PEERTUBE_INSTANCE_DESCRIPTION": settings.description,
        "PEERTUBE_SIGNUP_ENABLED": "true" if settings.registrations == "open" else "false",
        "PEERTUBE_TRANSCODING_ENABLED": "true" if settings.transcoding else "false",
        "PEERTUBE_USER_VIDEO_QUOTA": str(quota * _GIGABYTE) if quota else "-1",
        "PEERTUBE_LOG_LEVEL": "info",
    }


def _database(database: PostgresDatabase) -> dict[str, Text]:
    return {
        "PEERTUBE_DB_HOSTNAME": database.host,
        "PEERTUBE_DB_PORT": database.port,
        "PEERTUBE_DB_NAME": database.name,
        "PEERTUBE_DB_USERNAME": database.user,
        "PEERTUBE_DB_PASSWORD": database.password,
        "PEERTUBE_DB_SSL": database.if_encrypted("true", "false"),
    }


def _cache(cache: Cache) -> dict[str, Text]:
    return {
        "PEERTUBE_REDIS_HOSTNAME": cache.host,
        "PEERTUBE_REDIS_PORT": cache.port,
        "PEERTUBE_REDIS_AUTH": cache.password,
    }


def _media(media: ObjectBucket) -> dict[str, Text]:
    """One bucket, with a prefix for each kind of object. No ACL is named: Garage, as others, has none."""
    values: dict[str, Text] = {
        "PEERTUBE_OBJECT_STORAGE_ENABLED": "true",
        "PEERTUBE_OBJECT_STORAGE_ENDPOINT": media.endpoint,
        "PEERTUBE_OBJECT_STORAGE_REGION": media.region,
        "PEERTUBE_OBJECT_STORAGE_FORCE_PATH_STYLE": "true",
        "PEERTUBE_OBJECT_STORAGE_CREDENTIALS_ACCESS_KEY_ID": media.key_id,
        "PEERTUBE_OBJECT_STORAGE_CREDENTIALS_SECRET_ACCESS_KEY": media.key_secret,
        "PEERTUBE_OBJECT_STORAGE_PROXY_PROXIFY_PRIVATE_FILES": "false",
    }
    for kind in KINDS_OF_OBJECTS:
        place = f"PEERTUBE_OBJECT_STORAGE_{kind.upper()}"
        values |= {
            f"{place}_BUCKET_NAME": media.bucket,
            f"{place}_PREFIX": f"{kind.replace('_', '-')}/",
            f"{place}_BASE_URL": media.public_url,
        }
    return values


def _mail(mail: MailRelay) -> dict[str, Text]:
    return {
        "PEERTUBE_SMTP_HOSTNAME": mail.host,
        "PEERTUBE_SMTP_PORT": mail.port,
        "PEERTUBE_SMTP_USERNAME": mail.user,
        "PEERTUBE_SMTP_PASSWORD": mail.password,
        "PEERTUBE_SMTP_FROM": mail.sender,
        "PEERTUBE_SMTP_TLS": mail.by_encryption(none="false", starttls="false", tls="true"),
        "PEERTUBE_SMTP_DISABLE_STARTTLS": mail.by_encryption(none="true", starttls="false", tls="true"),
    }
