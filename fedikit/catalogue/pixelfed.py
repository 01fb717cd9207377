"""Pixelfed: pictures, from upstream's image."""

import json

from fedikit.catalogue.pixelfed_names import RESERVED, USERNAME, USERNAME_WORDS
from fedikit.catalogue.pixelfed_settings import PixelfedSettings
from fedikit.model import CommandHealth, Limits, Recipe, WebApplication

STORAGE = "/var/www/html/storage"
REMADE = ("framework/cache", "framework/sessions", "framework/views", "logs")
"""What of it Laravel fills again by itself."""
# The image's own command, in words: another server than this would listen at all addresses, and shall not start
SERVER = "frankenphp run --config /etc/frankenphp/Caddyfile --adapter caddyfile"
WORKS = CommandHealth(command=("php", "artisan", "horizon:status"))
BEATS = CommandHealth(command=("healthcheck-schedule",))
# It does not listen for SIGTERM, and the first process of a container gets only what it listens for: a shell does
SCHEDULE = """sh -c "trap 'exit 143' TERM; php artisan schedule:work & wait" """


class Pixelfed(WebApplication[PixelfedSettings]):
    """A picture server: people share photographs, others follow them from anywhere in the fediverse."""

    name = "pixelfed"
    memory_megabytes = 2000
    image = "ghcr.io/pixelfed/pixelfed:v0.14.4"
    limits = Limits(
        rights="an administrator",
        username=USERNAME,
        username_words=USERNAME_WORDS,
        reserved=RESERVED,
        display_name=30,
        password_bytes=72,
    )

    def recipe(self, r: Recipe, s: PixelfedSettings) -> None:
        r.mariadb(env="DB_HOST DB_PORT DB_DATABASE DB_USERNAME DB_PASSWORD")
        r.cache(env="REDIS_HOST REDIS_PORT REDIS_PASSWORD")
        r.env(DB_CONNECTION="mysql", REDIS_CLIENT="phpredis", REDIS_SCHEME="tcp", SESSION_DRIVER="database")
        # What has two names here was renamed about 0.14. Prefixes are upstream's for its title, which may change
        r.env(CACHE_DRIVER="redis", CACHE_STORE="redis", QUEUE_DRIVER="redis", QUEUE_CONNECTION="redis")
        r.env(CACHE_PREFIX="pixelfed_cache", REDIS_PREFIX="pixelfed_database_", HORIZON_PREFIX="horizon-")
        _name(r, s)
        _speak_with_others(r)
        _let_in(r, s)
        _keep_media(r, s)
        _send_mail(r, s)
        _run(r, s)
        r.answers("/api/service/health-check", contains="OK")
        r.answers("/api/v1/instance", contains=r.domain)
        r.nodeinfo()
        r.webfinger()
        r.newest_post(f"/users/{r.person.username}.atom", form="feed")


def _name(r: Recipe, s: PixelfedSettings) -> None:
    key = r.secret("app-key", "laravel-key", permanent=True)
    r.env(APP_ENV="production", APP_DEBUG=False, APP_KEY=key, APP_URL=f"https://{r.domain}", APP_DOMAIN=r.domain)
    r.env(ADMIN_DOMAIN=r.domain, SESSION_DOMAIN="null")
    r.env(PF_SHORT_DESCRIPTION=s.description or s.title, PF_DESCRIPTION=s.description or s.title)
    r.env(PF_RULES=json.dumps(s.rules, ensure_ascii=False), INSTANCE_CONTACT_EMAIL=r.person.email)
    # What is written here decides, not what an administrator clicked or what was there at the first start
    r.env(ENABLE_CONFIG_CACHE=False, OAUTH_ENABLED=True, LOG_CHANNEL="stderr", LOG_LEVEL="info")


def _speak_with_others(r: Recipe) -> None:
    others = r.other_servers()
    r.env(TRUST_PROXIES=others.proxies, SSL_CERT_FILE=others.ca_file)


def _let_in(r: Recipe, s: PixelfedSettings) -> None:
    approved, asks, key = s.registrations == "approved", bool(s.captcha_site_key), s.captcha_site_key or None
    r.env(OPEN_REGISTRATION=s.registrations == "open", ENFORCE_EMAIL_VERIFICATION=s.registrations != "none")
    r.env(INSTANCE_CUR_REG=approved, INSTANCE_CUR_REG_NOTIFY_ADMIN_ON_VERIFY=approved)
    r.env(PF_ENFORCE_MAX_USERS=bool(s.max_users), CAPTCHA_ENABLED=asks, CAPTCHA_ENABLED_ON_REGISTER=asks)
    r.env(CAPTCHA_ENABLED_ON_CURATED_REGISTER=asks, CAPTCHA_DRIVER="hcaptcha", CAPTCHA_H_SITEKEY=key)
    secret = r.secret("captcha", given=True) if asks else None
    r.env(CAPTCHA_SECRET=secret, CAPTCHA_H_SECRET=secret)


def _keep_media(r: Recipe, s: PixelfedSettings) -> None:
    media = r.bucket(public="media")
    r.env(LIMIT_ACCOUNT_SIZE=bool(s.quota_megabytes), IMAGE_DRIVER="gd", PHP_OPCACHE_ENABLE="1")
    r.env(FILESYSTEM_CLOUD="s3", PF_ENABLE_CLOUD=True, MEDIA_DELETE_LOCAL_AFTER_CLOUD=True, AWS_BUCKET=media.bucket)
    r.env(AWS_DEFAULT_REGION=media.region, AWS_ENDPOINT=media.endpoint, AWS_URL=media.public_url)
    r.env(AWS_ACCESS_KEY_ID=media.key_id, AWS_SECRET_ACCESS_KEY=media.key_secret, AWS_USE_PATH_STYLE_ENDPOINT=True)


def _send_mail(r: Recipe, s: PixelfedSettings) -> None:
    mail = r.mail(needed_for="" if s.registrations == "none" else "registrations: newcomers confirm their address")
    mailer = mail.if_enabled("smtp", "log")
    r.env(MAIL_DRIVER=mailer, MAIL_MAILER=mailer, MAIL_HOST=mail.host, MAIL_PORT=mail.port)
    r.env(MAIL_USERNAME=mail.user, MAIL_PASSWORD=mail.password, MAIL_FROM_ADDRESS=mail.sender, MAIL_FROM_NAME=s.title)
    r.env(MAIL_SCHEME=mail.by_encryption(none="smtp", starttls="smtp", tls="smtps"))
    r.env(MAIL_AUTO_TLS=mail.by_encryption(none="false", starttls="true", tls="true"))


def _run(r: Recipe, s: PixelfedSettings) -> None:
    storage, new = (r.volume("storage", mount, owner=33, leave_out=REMADE) for mount in (STORAGE, "/new"))
    port, name = r.port("web", 8080), r.person.username
    r.once("storage", f"{STORAGE} /new", script="pixelfed_storage.sh", volumes=(new,))
    r.once("migrations", "php artisan migrate --force", volumes=(storage,))
    r.once("instance actor", "php artisan instance:actor", volumes=(storage,))
    r.once("keys", "", script="pixelfed_keys.sh", volumes=(storage,))
    env = {"CADDY_GLOBAL_OPTIONS": "default_bind 127.0.0.1", "CADDY_HTTP_PORT": port.number}
    env |= {"AUTORUN_ENABLED": "true", "AUTORUN_LARAVEL_MIGRATION": "false"}
    web = r.container("web", SERVER, port=port, live="/api/service/health-check", env=env, volumes=(storage,))
    r.container("worker", "php artisan horizon", live=WORKS, stop_seconds=60, volumes=(storage,))
    r.container("scheduler", SCHEDULE, live=BEATS, volumes=(storage,))
    r.after_restore(web, "cache", "php artisan cache:clear")
    r.task(web, "personal client", "pixelfed_client.php")
    r.task(web, "cities", "pixelfed_cities.php")
    r.task(web, "what it tells", "pixelfed_told.php", s.model_dump_json(exclude={"enable"}))
    r.task(web, "owner", "pixelfed_user.php", "account", name, r.person.email, r.person.display_name)
    r.task(web, "owner address", "pixelfed_user.php", "address", name, r.person.email)
    r.task(web, "owner name", "pixelfed_user.php", "name", name, r.person.display_name)
    r.task(web, "owner password", "pixelfed_user.php", "password", name, stdin=r.password)
    whole_album = s.max_photo_megabytes * s.max_album_photos + 10
    r.env(PHP_UPLOAD_MAX_FILE_SIZE=f"{s.max_photo_megabytes}M", PHP_POST_MAX_SIZE=f"{whole_album}M")
    r.site({"/*": port}, max_body_megabytes=whole_album)
