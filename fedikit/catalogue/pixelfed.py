"""Pixelfed: pictures, from upstream's image."""

from typing import Annotated, Literal

from pydantic import Field

from fedikit.model import (
    Application,
    Cache,
    Check,
    CommandHealth,
    Container,
    Context,
    HttpAnswers,
    HttpHealth,
    Line,
    MailRelay,
    MariaDatabase,
    NodeInfo,
    ObjectBucket,
    OneOffJob,
    Person,
    Requests,
    Route,
    SecretRef,
    Settings,
    Subdomain,
    Task,
    Text,
    Variables,
    Volume,
    WebFinger,
    WebSite,
    initial_password,
)

IMAGE = "ghcr.io/pixelfed/pixelfed:v0.14.4"
PORT, CACHE_PORT = 8080, 6403
OWNER = 33
ARTISAN = ("php", "artisan")
LARAVEL = (
    'require "vendor/autoload.php"; $app = require "bootstrap/app.php"; '
    "$app->make(Illuminate\\Contracts\\Console\\Kernel::class)->bootstrap(); "
)
USER_EXISTS = LARAVEL + "exit(App\\User::whereEmail($argv[1])->first() ? 0 : 1);"
PASSWORD_IS_SET = LARAVEL + (
    "exit(Illuminate\\Support\\Facades\\Hash::check(stream_get_contents(STDIN), "
    "App\\User::whereEmail($argv[1])->firstOrFail()->password) ? 0 : 1);"
)
SET_PASSWORD = LARAVEL + (
    "$user = App\\User::whereEmail($argv[1])->firstOrFail(); "
    "$user->password = bcrypt(stream_get_contents(STDIN)); $user->save();"
)
SET_NAME = LARAVEL + (
    "$user = App\\User::whereEmail($argv[1])->firstOrFail(); "
    "foreach ([$user, $user->profile] as $one) { $one->name = $argv[2]; $one->save(); }"
)
# Each looks first: upstream's commands fail where something is there already
HAS_KEYS = "test -f storage/oauth-private.key && test -f storage/oauth-public.key"
MAKE_KEYS = f"{HAS_KEYS} || exec php artisan passport:keys"
MAKE_USER = (
    'php -r "$4" "$3" || '
    'exec php artisan user:create --name="$1" --username="$2" --email="$3" --is_admin=true --confirm_email=1 '
)
UNUSED_PASSWORD = '--password="$(head -c 24 /dev/urandom | base64)"'  # noqa: S105 - the real one is set afterwards


class PixelfedSettings(Settings):
    """The picture server."""

    subdomain: Subdomain = "pixelfed"
    """What stands before the domain in its web address. Can never change."""
    registrations: Literal["open", "none"] = "none"
    """Who may sign up: everybody, or nobody."""
    title: Annotated[Line, Field(max_length=100)] = "Pixelfed"
    """The server's title."""
    description: Annotated[Line, Field(max_length=500)] = ""
    """A sentence about the server."""
    max_photo_megabytes: Annotated[int, Field(ge=1, le=500)] = 15
    """The largest picture."""
    max_album_photos: Annotated[int, Field(ge=1, le=20)] = 4
    """How many pictures a post may have."""


class Pixelfed(Application[PixelfedSettings]):
    """A picture server: people share photographs, others follow them from anywhere in the fediverse."""

    name = "pixelfed"

    def requests(self, settings: PixelfedSettings, context: Context) -> Requests:
        domain, person = context.site(settings.subdomain), context.initial_user
        database = MariaDatabase(name="pixelfed")
        cache = Cache(name="pixelfed", at=CACHE_PORT)
        media = ObjectBucket(name="pixelfed", public_at=f"media.{domain}")
        mail = MailRelay(domain=domain)
        variables = Variables(
            name="pixelfed",
            values={
                **_server(domain, settings, person),
                **_database(database),
                **_cache(cache),
                **_media(media),
                **_mail(mail, settings),
            },
        )
        return {
            "database": database,
            "cache": cache,
            "media": media,
            "mail": mail,
            "migrate": _job("migrations", variables, (*ARTISAN, "migrate", "--force")),
            "actor": _job("instance actor", variables, (*ARTISAN, "instance:actor")),
            "keys": _job("keys", variables, ("sh", "-c", MAKE_KEYS), check=("sh", "-c", HAS_KEYS)),
            "web": Container(
                name="pixelfed-web",
                image=IMAGE,
                variables=variables,
                # Links and caches of what is configured, made at each start; migrations are a job of their own
                environment={"AUTORUN_ENABLED": "true", "AUTORUN_LARAVEL_MIGRATION": "false"},
                volumes=_STORAGE,
                ports=(PORT,),
                health=HttpHealth(port=PORT, path="/healthcheck"),
            ),
            "worker": Container(
                name="pixelfed-worker",
                image=IMAGE,
                command=(*ARTISAN, "horizon"),
                variables=variables,
                volumes=_STORAGE,
                health=CommandHealth(command=(*ARTISAN, "horizon:status")),
                stop_seconds=60,
            ),
            "scheduler": Container(
                name="pixelfed-scheduler",
                image=IMAGE,
                command=(*ARTISAN, "schedule:work"),
                variables=variables,
                volumes=_STORAGE,
                health=CommandHealth(command=("healthcheck-schedule",)),
            ),
            "owner": _task("owner", _account(person), check=_php(USER_EXISTS, person.email)),
            "name": _task("owner name", _php(SET_NAME, person.email, person.display_name)),
            "password": _task(
                "owner password",
                _php(SET_PASSWORD, person.email),
                check=_php(PASSWORD_IS_SET, person.email),
                stdin=initial_password("pixelfed"),
            ),
            "site": WebSite(
                domain=domain,
                routes=(Route(port=PORT),),
                max_body_megabytes=settings.max_photo_megabytes * settings.max_album_photos + 10,
            ),
        }

    def checks(self, settings: PixelfedSettings, context: Context) -> list[Check]:
        domain, user = context.site(settings.subdomain), context.initial_user
        return [
            HttpAnswers(application=self.name, url=f"https://{domain}/api/service/health-check", contains="OK"),
            HttpAnswers(application=self.name, url=f"https://{domain}/api/v1/instance", contains=domain),
            NodeInfo(application=self.name, domain=domain, software="pixelfed"),
            WebFinger(application=self.name, domain=domain, account=f"{user.username}@{domain}"),
        ]


_STORAGE = (Volume(name="pixelfed-storage", mount="/var/www/html/storage", owner=OWNER),)


def _job(name: str, variables: Variables, run: tuple[str, ...], *, check: tuple[str, ...] = ()) -> OneOffJob:
    return OneOffJob(name=name, image=IMAGE, run=run, check=check, variables=variables, volumes=_STORAGE)


def _task(name: str, run: tuple[str, ...], *, check: tuple[str, ...] = (), stdin: Text = "") -> Task:
    return Task(name=name, container="pixelfed-web", run=run, check=check, stdin=stdin)


def _php(code: str, *arguments: str) -> tuple[str, ...]:
    """A command that lets the application itself run a line of PHP."""
    return ("php", "-r", code, *arguments)


def _account(person: Person) -> tuple[str, ...]:
    person_told = (person.display_name, person.username, person.email)
    return ("sh", "-c", MAKE_USER + UNUSED_PASSWORD, "owner", *person_told, USER_EXISTS)


def _server(domain: str, settings: PixelfedSettings, person: Person) -> dict[str, Text]:
    return {
        "APP_NAME": settings.title,
        "APP_ENV": "production",
        "APP_DEBUG": "false",
        "APP_KEY": SecretRef(name="pixelfed/app-key", format="laravel-key", permanent=True),
        "APP_URL": f"https://{domain}",
        "APP_DOMAIN": domain,
        "ADMIN_DOMAIN": domain,
        "SESSION_DOMAIN": domain,
        "TRUST_PROXIES": "127.0.0.1",
        "INSTANCE_CONTACT_EMAIL": person.email,
        "INSTANCE_DESCRIPTION": settings.description,
        "OPEN_REGISTRATION": "true" if settings.registrations == "open" else "false",
        "ENFORCE_EMAIL_VERIFICATION": "false",
        "OAUTH_ENABLED": "true",
        "ENABLE_CONFIG_CACHE": "true",
        "ACTIVITY_PUB": "true",
        "AP_REMOTE_FOLLOW": "true",
        "AP_INBOX": "true",
        "AP_OUTBOX": "true",
        "AP_SHAREDINBOX": "true",
        "LOG_CHANNEL": "stderr",
        "CADDY_GLOBAL_OPTIONS": "default_bind 127.0.0.1",
        "MAX_PHOTO_SIZE": str(settings.max_photo_megabytes * 1000),
        "MAX_ALBUM_LENGTH": str(settings.max_album_photos),
    }


def _database(database: MariaDatabase) -> dict[str, Text]:
    return {
        "DB_CONNECTION": "mysql",
        "DB_HOST": database.host,
        "DB_PORT": database.port,
        "DB_DATABASE": database.name,
        "DB_USERNAME": database.user,
        "DB_PASSWORD": database.password,
    }


def _cache(cache: Cache) -> dict[str, Text]:
    return {
        "REDIS_CLIENT": "phpredis",
        "REDIS_SCHEME": "tcp",
        "REDIS_HOST": cache.host,
        "REDIS_PORT": cache.port,
        "REDIS_PASSWORD": cache.password,
        "CACHE_DRIVER": "redis",
        "QUEUE_DRIVER": "redis",
        "SESSION_DRIVER": "database",
        "BROADCAST_DRIVER": "log",
    }


def _media(media: ObjectBucket) -> dict[str, Text]:
    return {
        "FILESYSTEM_DRIVER": "local",
        "FILESYSTEM_CLOUD": "s3",
        "PF_ENABLE_CLOUD": "true",
        "MEDIA_DELETE_LOCAL_AFTER_CLOUD": "true",
        "AWS_ACCESS_KEY_ID": media.key_id,
        "AWS_SECRET_ACCESS_KEY": media.key_secret,
        "AWS_DEFAULT_REGION": media.region,
        "AWS_BUCKET": media.bucket,
        "AWS_ENDPOINT": media.endpoint,
        "AWS_USE_PATH_STYLE_ENDPOINT": "true",
        "AWS_URL": media.public_url,
    }


def _mail(mail: MailRelay, settings: PixelfedSettings) -> dict[str, Text]:
    return {
        "MAIL_DRIVER": mail.if_enabled("smtp", "log"),
        "MAIL_HOST": mail.host,
        "MAIL_PORT": mail.port,
        "MAIL_USERNAME": mail.user,
        "MAIL_PASSWORD": mail.password,
        "MAIL_ENCRYPTION": mail.by_encryption(none="null", starttls="tls", tls="ssl"),
        "MAIL_FROM_ADDRESS": mail.sender,
        "MAIL_FROM_NAME": settings.title,
    }
