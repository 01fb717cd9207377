"""Mastodon: the well-known social network server, from upstream's two images."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model import (
    Application,
    Cache,
    Check,
    Container,
    Context,
    HttpAnswers,
    HttpHealth,
    Line,
    MailRelay,
    NodeInfo,
    ObjectBucket,
    OneOffJob,
    Person,
    PostgresDatabase,
    Requests,
    Route,
    SecretRef,
    Settings,
    Subdomain,
    Task,
    Text,
    Variables,
    WebFinger,
    WebSite,
    initial_password,
)

IMAGE = "ghcr.io/mastodon/mastodon:v4.7.4"
STREAMING_IMAGE = "ghcr.io/mastodon/mastodon-streaming:v4.7.4"
WEB_PORT, STREAMING_PORT, CACHE_PORT = 3000, 4000, 6401
USER_EXISTS = "exit User.exists?(email: ARGV[0])"
MAKE_USER = (
    'bin/rails runner "$1" "$2" || '
    'exec bin/tootctl accounts create "$3" --email "$2" --confirmed --approve --role Owner'
)
PASSWORD_IS_SET = "exit User.find_by!(email: ARGV[0]).valid_password?($stdin.read)"  # noqa: S105
SET_PASSWORD = "User.find_by!(email: ARGV[0]).update!(password: $stdin.read)"  # noqa: S105
SET_NAME = "Account.find_local(ARGV[0]).update!(display_name: ARGV[1])"
SET_SETTINGS = "ARGV.each_slice(2) { |name, value| Setting[name] = value }"


class MastodonSettings(Settings):
    """The social network server."""

    subdomain: Subdomain = "mastodon"
    """What stands before the domain in its web address. Can never change."""
    registrations: Literal["open", "approved", "none"] = "none"
    """Who may sign up: everybody, whom an administrator approves, or nobody."""
    title: Annotated[Line, Field(max_length=100)] = ""
    """The server's title."""
    description: Annotated[Line, Field(max_length=500)] = ""
    """A sentence about the server."""
    web_processes: Annotated[int, Field(ge=0, le=32)] = 2
    """Processes that answer the web; each takes about 300 MB of memory."""
    background_threads: Annotated[int, Field(ge=1, le=50)] = 5
    """Jobs that run at the same time in the background."""
    max_media_gigabytes: Annotated[int, Field(ge=1)] | None = None
    """How much media may be kept; as much as there is room for if absent."""


class Mastodon(Application[MastodonSettings]):
    """The social network server that most of the fediverse knows: short posts, pictures, conversations."""

    name = "mastodon"

    def requests(self, settings: MastodonSettings, context: Context) -> Requests:
        domain, person = context.site(settings.subdomain), context.initial_user
        database = PostgresDatabase(name="mastodon")
        cache = Cache(name="mastodon", at=CACHE_PORT)
        media = ObjectBucket(name="mastodon", public_at=f"media.{domain}", max_gigabytes=settings.max_media_gigabytes)
        mail = MailRelay(domain=domain)
        variables = Variables(
            name="mastodon",
            values={
                **_server(domain, settings),
                **_secrets(),
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
            "migrate": OneOffJob(
                name="migrations",
                image=IMAGE,
                run=("bundle", "exec", "rails", "db:migrate:setup"),
                variables=variables,
            ),
            "web": Container(
                name="mastodon-web",
                image=IMAGE,
                command=("bundle", "exec", "puma", "-C", "config/puma.rb"),
                variables=variables,
                environment={"PORT": str(WEB_PORT), "BIND": "127.0.0.1"},
                ports=(WEB_PORT,),
                health=HttpHealth(port=WEB_PORT, path="/health"),
            ),
            "streaming": Container(
                name="mastodon-streaming",
                image=STREAMING_IMAGE,
                command=("node", "./streaming/index.js"),
                variables=variables,
                environment={"PORT": str(STREAMING_PORT), "BIND": "127.0.0.1"},
                ports=(STREAMING_PORT,),
                health=HttpHealth(port=STREAMING_PORT, path="/api/v1/streaming/health"),
            ),
            "sidekiq": Container(
                name="mastodon-sidekiq",
                image=IMAGE,
                command=("bundle", "exec", "sidekiq"),
                variables=variables,
                environment={"SIDEKIQ_CONCURRENCY": str(settings.background_threads)},
                stop_seconds=60,
            ),
            "owner": _task("owner", _account(person), check=_ruby(USER_EXISTS, person.email)),
            "name": _task("owner name", _ruby(SET_NAME, person.username, person.display_name)),
            "password": _task(
                "owner password",
                _ruby(SET_PASSWORD, person.email),
                check=_ruby(PASSWORD_IS_SET, person.email),
                stdin=initial_password("mastodon"),
            ),
            "settings": _task("settings", _ruby(SET_SETTINGS, *_shown(settings))),
            "site": WebSite(
                domain=domain,
                routes=(Route(port=WEB_PORT), Route(path="/api/v1/streaming*", port=STREAMING_PORT)),
                max_body_megabytes=99,
            ),
        }

    def checks(self, settings: MastodonSettings, context: Context) -> list[Check]:
        domain, user = context.site(settings.subdomain), context.initial_user
        return [
            HttpAnswers(application=self.name, url=f"https://{domain}/api/v2/instance", contains=domain),
            HttpAnswers(application=self.name, url=f"https://{domain}/api/v1/streaming/health", contains="OK"),
            NodeInfo(application=self.name, domain=domain, software="mastodon"),
            WebFinger(application=self.name, domain=domain, account=f"{user.username}@{domain}"),
        ]


def _task(name: str, run: tuple[str, ...], *, check: tuple[str, ...] = (), stdin: Text = "") -> Task:
    return Task(name=name, container="mastodon-web", run=run, check=check, stdin=stdin)


def _ruby(code: str, *arguments: str) -> tuple[str, ...]:
    """A command that lets the application itself run a line of Ruby."""
    return ("bin/rails", "runner", code, *arguments)


def _account(person: Person) -> tuple[str, ...]:
    """Looks before it makes one: tootctl does not."""
    return ("sh", "-c", MAKE_USER, "owner", USER_EXISTS, person.email, person.username)


def _shown(settings: MastodonSettings) -> tuple[str, ...]:
    """The settings that Mastodon keeps in its database."""
    return (
        *("registrations_mode", settings.registrations),
        *("site_title", settings.title),
        *("site_short_description", settings.description),
    )


def _server(domain: str, settings: MastodonSettings) -> dict[str, Text]:
    return {
        "LOCAL_DOMAIN": domain,
        "RAILS_ENV": "production",
        "NODE_ENV": "production",
        "RAILS_LOG_LEVEL": "warn",
        "WEB_CONCURRENCY": str(settings.web_processes),
        "TRUSTED_PROXY_IP": "127.0.0.1",
    }


def _secrets() -> dict[str, Text]:
    encryption = {
        f"ACTIVE_RECORD_ENCRYPTION_{key}": SecretRef(
            name=f"mastodon/encryption-{key.lower().replace('_', '-')}", format="letters32", permanent=True
        )
        for key in ("DETERMINISTIC_KEY", "KEY_DERIVATION_SALT", "PRIMARY_KEY")
    }
    return {
        "SECRET_KEY_BASE": SecretRef(name="mastodon/secret-key-base", format="hex128"),
        **encryption,
        "VAPID_PRIVATE_KEY": SecretRef(name="mastodon/vapid", format="vapid-private"),
        "VAPID_PUBLIC_KEY": SecretRef(name="mastodon/vapid", format="vapid-public"),
    }


def _database(database: PostgresDatabase) -> dict[str, Text]:
    return {
        "DB_HOST": database.host,
        "DB_PORT": database.port,
        "DB_NAME": database.name,
        "DB_USER": database.user,
        "DB_PASS": database.password,
    }


def _cache(cache: Cache) -> dict[str, Text]:
    return {"REDIS_HOST": cache.host, "REDIS_PORT": cache.port, "REDIS_PASSWORD": cache.password}


def _media(media: ObjectBucket) -> dict[str, Text]:
    return {
        "S3_ENABLED": "true",
        "S3_BUCKET": media.bucket,
        "AWS_ACCESS_KEY_ID": media.key_id,
        "AWS_SECRET_ACCESS_KEY": media.key_secret,
        "S3_REGION": media.region,
        "S3_ENDPOINT": media.endpoint,
        "S3_PROTOCOL": "https",
        "S3_HOSTNAME": media.public_host,
        "S3_ALIAS_HOST": media.public_host,
        "S3_PERMISSION": "",  # no ACL: Garage, as others, has none
    }


def _mail(mail: MailRelay) -> dict[str, Text]:
    return {
        "SMTP_DELIVERY_METHOD": mail.if_enabled("smtp", "test"),
        "SMTP_SERVER": mail.host,
        "SMTP_PORT": mail.port,
        "SMTP_LOGIN": mail.user,
        "SMTP_PASSWORD": mail.password,
        "SMTP_FROM_ADDRESS": mail.sender,
        "SMTP_ENABLE_STARTTLS": mail.by_encryption(none="never", starttls="always", tls="never"),
        "SMTP_TLS": mail.by_encryption(none="false", starttls="false", tls="true"),
    }
