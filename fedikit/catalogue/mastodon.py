"""Mastodon: the well-known social network server, from upstream's two images."""

import json

from fedikit.catalogue.mastodon_settings import MastodonSettings, SignIn
from fedikit.model import (
    CommandHealth,
    Container,
    Limits,
    LocalPort,
    MailRelay,
    ObjectBucket,
    PostgresDatabase,
    Recipe,
    SecretRef,
    WebApplication,
)
from fedikit.model.upstream import upstream_values

# The name is the image's: MASTODON_SIDEKIQ_READY_FILENAME
WORKING = "/opt/mastodon/tmp/sidekiq_process_has_started_and_will_begin_processing_jobs"
WORKS = CommandHealth(command=("test", "-f", WORKING))


class Mastodon(WebApplication[MastodonSettings]):
    """The social network server that most of the fediverse knows: short posts, pictures, conversations."""

    name = "mastodon"
    memory_megabytes = 1000
    image = "ghcr.io/mastodon/mastodon:v4.7.4"
    streaming_image = "ghcr.io/mastodon/mastodon-streaming:v4.7.4"
    limits = Limits(rights="the owner", display_name=40, password_bytes=72, email=r"[^%]+", email_words="have no %")

    def recipe(self, r: Recipe, s: MastodonSettings) -> None:
        _refuse_contradictions(r, s)
        handles = _name(r, s)
        database = r.postgresql(env="DB_HOST DB_PORT DB_NAME DB_USER DB_PASS", connections=s.connections)
        r.cache(env="REDIS_HOST REDIS_PORT REDIS_PASSWORD")
        _keep_media(r, r.bucket(public="media", max_gigabytes=s.max_media_gigabytes, leave_out=("cache/",)))
        _send_mail(
            r, r.mail(needed_for="" if s.registrations == "none" else "registrations: newcomers confirm by mail")
        )
        r.env(LOCAL_DOMAIN=handles, WEB_DOMAIN=r.domain if s.short_handles else None, RAILS_LOG_LEVEL="warn")
        _speak_with_others(r)
        _keep_secrets(r)
        if s.sign_in:
            _sign_in_elsewhere(r, s.sign_in)
        # The new tables come before the new release, and what the old release cannot work with after it
        r.once("migrations", "bundle exec rails db:prepare", env={"SKIP_POST_DEPLOYMENT_MIGRATIONS": "true"})
        port, streaming = r.port("web", 3000), r.port("streaming", 4000)
        web = _run_web(r, port)
        _run_streaming(r, streaming, database, self.streaming_image)
        r.container("sidekiq", "bundle exec sidekiq", live=WORKS, stop_seconds=60)
        r.once("late migrations", "bundle exec rails db:migrate")
        _appoint(r, s, web)
        _make_feeds_anew(r, web)
        r.site({"/*": port, "/api/v1/streaming*": streaming}, max_body_megabytes=105)
        r.answers("/api/v2/instance", contains=r.domain)
        r.answers("/api/v1/streaming/health", contains="OK")
        r.nodeinfo()
        r.webfinger(domain=handles)
        r.newest_post("/api/v1/timelines/public?local=true&limit=1")


def _refuse_contradictions(r: Recipe, s: MastodonSettings) -> None:
    if s.single_user and s.registrations != "none":
        r.refuse("registrations", "should be none: the server is one person's (singleUser)")
    if s.contact_account and not s.contact_email:
        r.refuse("contactEmail", "is missing: Mastodon wants an address and an account, or none of them")


def _name(r: Recipe, s: MastodonSettings) -> str:
    """Says which domain people are known by, and returns it."""
    handles = r.context.domain if s.short_handles else r.domain
    if s.short_handles:
        _lead_here(r, handles)
        r.web_address(r.domain)
    return handles


def _lead_here(r: Recipe, handles: str) -> None:
    """The server is known by the site that comes first, and others ask there for who is behind a handle."""
    paths = ("/.well-known/webfinger", "/.well-known/host-meta", "/.well-known/nodeinfo")
    anybody = {"Access-Control-Allow-Origin": "*"}
    r.site({}, domain=handles, redirects=dict.fromkeys(paths, r.domain), headers=anybody)


def _keep_media(r: Recipe, media: ObjectBucket) -> None:
    r.env(S3_ENABLED="true", S3_BUCKET=media.bucket, S3_REGION=media.region, S3_ENDPOINT=media.endpoint)
    r.env(AWS_ACCESS_KEY_ID=media.key_id, AWS_SECRET_ACCESS_KEY=media.key_secret)
    r.env(S3_PROTOCOL="https", S3_HOSTNAME=media.public_host, S3_ALIAS_HOST=media.public_host)
    r.env(S3_PERMISSION="")  # no ACL: Garage, as others, has none


def _send_mail(r: Recipe, mail: MailRelay) -> None:
    ways = {"none": "none", "plain": "plain", "login": "login", "cram-md5": "cram_md5"}
    r.env(SMTP_DELIVERY_METHOD=mail.if_enabled("smtp", "test"), SMTP_FROM_ADDRESS=mail.sender)
    r.env(SMTP_SERVER=mail.host, SMTP_PORT=mail.port, SMTP_LOGIN=mail.user, SMTP_PASSWORD=mail.password)
    r.env(SMTP_AUTH_METHOD=mail.told("authentication", ways))
    r.env(SMTP_ENABLE_STARTTLS=mail.by_encryption(none="never", starttls="always", tls="never"))
    r.env(SMTP_TLS=mail.by_encryption(none="false", starttls="false", tls="true"))


def _speak_with_others(r: Recipe) -> None:
    others = r.other_servers()
    r.env(TRUSTED_PROXY_IP=others.proxies, ALLOWED_PRIVATE_ADDRESSES=others.private_networks)
    r.env(SSL_CERT_FILE=others.ca_file)


def _keep_secrets(r: Recipe) -> None:
    r.env(SECRET_KEY_BASE=r.secret("secret-key-base", "hex128"))
    r.env(VAPID_PRIVATE_KEY=r.secret("vapid", "vapid-private"), VAPID_PUBLIC_KEY=r.secret("vapid", "vapid-public"))
    for key in ("DETERMINISTIC_KEY", "KEY_DERIVATION_SALT", "PRIMARY_KEY"):
        label = f"encryption-{key.lower().replace('_', '-')}"
        r.env(**{f"ACTIVE_RECORD_ENCRYPTION_{key}": r.secret(label, "letters32", permanent=True)})


def _sign_in_elsewhere(r: Recipe, service: SignIn) -> None:
    r.env(OIDC_ENABLED="true", OIDC_DISCOVERY="true", **dict(upstream_values(service)))
    r.env(OIDC_CLIENT_SECRET=SecretRef(name="mastodon/oidc-client", given=True))
    r.env(OIDC_REDIRECT_URI=f"https://{r.domain}/auth/auth/openid_connect/callback")


def _run_web(r: Recipe, port: LocalPort) -> Container:
    env = {"PORT": port.number, "BIND": "127.0.0.1"}
    return r.container("web", "bundle exec puma -C config/puma.rb", port=port, env=env, live="/health", reads=True)


def _run_streaming(r: Recipe, port: LocalPort, database: PostgresDatabase, image: str) -> None:
    """It encrypts nothing by itself, and asks for a well-known authority at all words but `no-verify`."""
    encrypted = database.if_encrypted("no-verify", "disable")
    env = {"PORT": port.number, "BIND": "127.0.0.1", "DB_SSLMODE": encrypted}
    health = "/api/v1/streaming/health"
    r.container("streaming", "node ./streaming/index.js", image=image, port=port, env=env, live=health)


def _appoint(r: Recipe, s: MastodonSettings, web: Container) -> None:
    owner = {"username": r.person.username, "email": r.person.email, "name": r.person.display_name}
    r.task(web, "owner", "mastodon_user.rb", json.dumps(owner), stdin=r.password, asked_first=False)
    r.task(web, "settings", "mastodon_settings.rb", json.dumps(s.kept_in_database(r.person)), asked_first=False)


def _make_feeds_anew(r: Recipe, web: Container) -> None:
    """Redis stays as it is in a restore: it has feeds and copies of rows from later than the database that is back."""
    r.after_restore(web, "cache", "bin/tootctl cache clear")
    r.after_restore(web, "later feeds", "bin/tootctl feeds clear")
    r.after_restore(web, "feeds", "bin/tootctl feeds build", deadline=6 * 3600)
