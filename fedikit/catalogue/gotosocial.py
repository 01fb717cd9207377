"""GoToSocial: a small social network server, from upstream's image."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.catalogue.gotosocial_account import ACCOUNT_SCRIPT
from fedikit.model import (
    Application,
    Check,
    Container,
    Context,
    HostItems,
    HttpAnswers,
    HttpHealth,
    Job,
    MailRelay,
    NodeInfo,
    ObjectBucket,
    Person,
    PostgresDatabase,
    Requests,
    Route,
    SecretText,
    Settings,
    Subdomain,
    Text,
    Variables,
    Volume,
    WebFinger,
    WebSite,
    initial_password,
)

IMAGE = "docker.io/superseriousbusiness/gotosocial:0.22.2"
PORT = 8081  # upstream's 8080 is Pixelfed's on a host that bears both
OWNER = 1000
CACHE = "/gotosocial/.cache"
CONTAINER = "gotosocial"


class GotosocialSettings(Settings):
    """The small social network server."""

    subdomain: Subdomain = "gotosocial"
    """What stands before the domain in its web address. Can never change."""
    registrations: Literal["approved", "none"] = "none"
    """Who may sign up: whom an administrator approves, or nobody."""
    max_media_megabytes: Annotated[int, Field(ge=1, le=1000)] = 40
    """The largest picture or film."""


class Gotosocial(Application[GotosocialSettings]):
    """A small social network server, made for few people, that apps for Mastodon work with."""

    name = "gotosocial"

    def requests(self, settings: GotosocialSettings, context: Context) -> Requests:
        domain, person = context.site(settings.subdomain), context.initial_user
        database = PostgresDatabase(name="gotosocial")
        media = ObjectBucket(name="gotosocial")
        mail = MailRelay(domain=domain)
        variables = Variables(
            name="gotosocial",
            values={**_server(domain, settings), **_database(database), **_media(media), **_mail(mail)},
        )
        return {
            "database": database,
            "media": media,
            "mail": mail,
            "server": Container(
                name=CONTAINER,
                image=IMAGE,
                variables=variables,
                volumes=(Volume(name="gotosocial-cache", mount=CACHE, owner=OWNER),),
                ports=(PORT,),
                health=HttpHealth(port=PORT, path="/readyz"),
                start_seconds=900,  # it migrates its database before it answers
            ),
            "account": HostItems(items=(_account(domain, person),)),
            "site": WebSite(
                domain=domain,
                routes=(Route(port=PORT),),
                max_body_megabytes=settings.max_media_megabytes * 105 // 100 + 10,
            ),
        }

    def checks(self, settings: GotosocialSettings, context: Context) -> list[Check]:
        domain, user = context.site(settings.subdomain), context.initial_user
        return [
            HttpAnswers(application=self.name, url=f"https://{domain}/readyz"),
            HttpAnswers(application=self.name, url=f"https://{domain}/api/v1/instance", contains=domain),
            NodeInfo(application=self.name, domain=domain, software="gotosocial"),
            WebFinger(application=self.name, domain=domain, account=f"{user.username}@{domain}"),
        ]


def _account(domain: str, person: Person) -> Job:
    command = ("python3", "-I", "-c", ACCOUNT_SCRIPT)
    account = (str(PORT), domain, CONTAINER, person.username, person.email, person.display_name)
    return Job(
        name="gotosocial initial user",
        run=(*command, "make", *account),
        check=(*command, "check", *account),
        stdin=SecretText(parts=(initial_password("gotosocial"),)),
        deadline=1200,  # it restarts the server, which may take as long as a start
    )


def _server(domain: str, settings: GotosocialSettings) -> dict[str, Text]:
    return {
        "GTS_HOST": domain,
        "GTS_PROTOCOL": "https",
        "GTS_BIND_ADDRESS": "127.0.0.1",
        "GTS_PORT": str(PORT),
        "GTS_TRUSTED_PROXIES": "127.0.0.1/32",
        "GTS_LETSENCRYPT_ENABLED": "false",
        "GTS_ACCOUNTS_REGISTRATION_OPEN": "true" if settings.registrations == "approved" else "false",
        "GTS_MEDIA_LOCAL_MAX_SIZE": f"{settings.max_media_megabytes}MiB",
        "GTS_WAZERO_COMPILATION_CACHE": CACHE,
    }


def _database(database: PostgresDatabase) -> dict[str, Text]:
    return {
        "GTS_DB_TYPE": "postgres",
        "GTS_DB_ADDRESS": database.host,
        "GTS_DB_PORT": database.port,
        "GTS_DB_DATABASE": database.name,
        "GTS_DB_USER": database.user,
        "GTS_DB_PASSWORD": database.password,
        "GTS_DB_TLS_MODE": database.if_encrypted("enable", "disable"),
    }


def _media(media: ObjectBucket) -> dict[str, Text]:
    """GoToSocial reads the bucket for its visitors, so nobody else needs to."""
    return {
        "GTS_STORAGE_BACKEND": "s3",
        "GTS_STORAGE_S3_ENDPOINT": media.endpoint_host,
        "GTS_STORAGE_S3_USE_SSL": media.if_encrypted("true", "false"),
        "GTS_STORAGE_S3_BUCKET": media.bucket,
        "GTS_STORAGE_S3_BUCKET_LOOKUP": "path",
        "GTS_STORAGE_S3_ACCESS_KEY": media.key_id,
        "GTS_STORAGE_S3_SECRET_KEY": media.key_secret,
        "GTS_STORAGE_S3_PROXY": "true",
    }


def _mail(mail: MailRelay) -> dict[str, Text]:
    return {
        "GTS_SMTP_HOST": mail.host,
        "GTS_SMTP_PORT": mail.port,
        "GTS_SMTP_USERNAME": mail.user,
        "GTS_SMTP_PASSWORD": mail.password,
        "GTS_SMTP_FROM": mail.sender,
    }
