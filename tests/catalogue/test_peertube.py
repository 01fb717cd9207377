"""PeerTube: what it asks for, how its settings reach it, and the script that makes its initial user."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from fedikit.catalogue.peertube import Peertube
from fedikit.errors import ConfigurationError, Mistake
from fedikit.model import Bucket, Job, SecretRef, SecretText, configuration_model, initial_password
from tests.catalogue.peertube import ADMINISTRATOR, USER, FakePeertube
from tests.model.example import configuration, environment, files, ids, only, variables

DOMAIN = "peertube.fedi.test"
FIRST, ROOT, PASSWORD = "root's first password", "root's own password", 'correct "horse" battery % staple'


CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PUBLIC = ("STREAMING_PLAYLISTS", "WEB_VIDEOS", "CAPTIONS")
PRIVATE = ("ORIGINAL_VIDEO_FILES", "USER_EXPORTS")


def told(policies: dict[str, Any] | None = None, **settings: Any) -> dict[str, str]:
    return variables(environment(policies).deployment(configuration("peertube", peertube=settings)), "peertube")


def item(kind: type[Any], name: str, person: dict[str, str] | None = None) -> Any:
    """The item of a kind whose id has the name in it."""
    chosen = configuration("peertube")
    if person:
        chosen = chosen.model_copy(update={"initial_user": chosen.initial_user.model_copy(update=person)})
    items = environment().deployment(chosen).hosts["peertube"].items
    (found,) = (one for one in items if isinstance(one, kind) and name in one.id)
    return found


def test_one_process_owns_its_directories_and_answers_to_its_name() -> None:
    there = files(environment().deployment(configuration("peertube")).hosts["peertube"])
    quadlet = there["/etc/containers/systemd/peertube.container"].splitlines()

    assert {"Image=docker.io/chocobozzz/peertube:v8.3.1", "User=999", "Group=999"} <= set(quadlet)
    assert {"Volume=/srv/peertube-data:/data", "Volume=/srv/peertube-config:/config"} <= set(quadlet)
    assert [line for line in quadlet if "http://127.0.0.1:9000/api/v1/ping peertube.fedi.test" in line]


def test_it_is_stopped_by_the_signal_that_it_heeds() -> None:
    there = files(environment().deployment(configuration("peertube")).hosts["peertube"])

    assert "StopSignal=SIGINT" in there["/etc/containers/systemd/peertube.container"].splitlines()


def test_it_may_migrate_for_an_hour_before_it_answers() -> None:
    there = files(environment().deployment(configuration("peertube")).hosts["peertube"])

    assert "TimeoutStartSec=3600" in there["/etc/containers/systemd/peertube.container"].splitlines()


def test_its_database_has_the_extensions_that_it_needs() -> None:
    (database,) = (
        item
        for item in environment().deployment(configuration("peertube")).hosts["peertube"].items
        if item.id == "database:postgresql/peertube"
    )
    assert getattr(database, "extensions", ()) == ("pg_trgm", "unaccent")


def test_its_account_is_made_when_it_runs() -> None:
    there = ids(environment().deployment(configuration("peertube")).hosts["peertube"])
    order = [
        "database:postgresql/peertube",
        "unit:redis-server@peertube.service",
        "directory:/srv/peertube-data",
        "unit:peertube.service",
        "job:peertube initial user",
    ]

    assert [id for id in there if id in order] == order


def test_its_secrets_have_the_forms_that_it_wants() -> None:
    assert {name: value for name, value in told().items() if value.startswith("<")} == {
        "PEERTUBE_SECRET": "<peertube/secret hex64 1>",
        "PT_INITIAL_ROOT_PASSWORD": "<peertube/root password 1>",
        "PEERTUBE_DB_PASSWORD": "<peertube/database password 1>",
        "PEERTUBE_REDIS_AUTH": "<peertube/cache password 1>",
        "PEERTUBE_OBJECT_STORAGE_CREDENTIALS_ACCESS_KEY_ID": "<peertube/bucket-key garage-key-id 1>",
        "PEERTUBE_OBJECT_STORAGE_CREDENTIALS_SECRET_ACCESS_KEY": "<peertube/bucket-key garage-key-secret 1>",
    }


def test_each_kind_of_object_has_a_prefix_of_its_own_and_no_acl() -> None:
    known = told()
    public, private = ([f"PEERTUBE_OBJECT_STORAGE_{kind}" for kind in kinds] for kinds in (PUBLIC, PRIVATE))
    places = [*public, *private]

    assert {known[f"{place}_BUCKET_NAME"] for place in public} == {"peertube"}
    assert {known[f"{place}_BASE_URL"] for place in public} == {"https://media.peertube.fedi.test"}
    assert len({known[f"{place}_PREFIX"] for place in places}) == len(places) == 5
    assert all(known[f"{place}_PREFIX"].endswith("/") for place in places)
    assert known["PEERTUBE_OBJECT_STORAGE_ENDPOINT"] == "http://10.0.0.2:3900"
    assert not [name for name in known if "ACL" in name]


def test_no_original_and_no_archive_of_an_account_comes_into_a_bucket_that_everybody_may_read() -> None:
    known = told()
    buckets = {
        item.name: item
        for item in environment().deployment(configuration("peertube")).hosts["objects"].items
        if isinstance(item, Bucket)
    }

    assert {known[f"PEERTUBE_OBJECT_STORAGE_{kind}_BUCKET_NAME"] for kind in PRIVATE} == {"peertube-private"}
    assert not [kind for kind in PRIVATE if f"PEERTUBE_OBJECT_STORAGE_{kind}_BASE_URL" in known]
    assert {name: bool(bucket.websites) for name, bucket in buckets.items()} == {
        "peertube": True,
        "peertube-private": False,
    }
    assert known["PEERTUBE_EXPORT_USERS_ENABLED"] == "false"


def test_the_media_host_asks_peertube_for_each_file_of_a_video_and_shows_nothing_else_but_captions() -> None:
    known, there = told(), files(environment().deployment(configuration("peertube")).hosts["objects"])
    site = there["/etc/caddy/sites/media.peertube.fedi.test.caddy"]
    opened = site.partition("\thandle {\n")[2]
    handled = [part.partition(" {\n")[0::2] for part in opened.split("\t\thandle ")[1:]]
    asked = {path: re.findall(r"uri (\S+)", block) for path, block in handled}

    assert known["PEERTUBE_OBJECT_STORAGE_PROXY_PROXIFY_PRIVATE_FILES"] == "true"
    assert asked == {
        "/captions/*": [],
        "/web-videos/*": ["/object-storage-proxy/web-videos/private/{http.request.uri.path.1}"],
        "/streaming-playlists/*": [
            "/object-storage-proxy/streaming-playlists/hls/private/{http.request.uri.path.2}/{http.request.uri.path.3}"
        ],
        "/fedikit-check/*": [],
        "{\n\t\t\trespond 404\n\t\t}\n\t}\n}\n": [],
    }
    assert site.count('header_up X-PeerTube-Video-Password "-"') == site.count("forward_auth https://10.0.0.4 {") == 2


def test_at_a_provider_of_s3_private_files_are_known_by_their_access_list() -> None:
    media = {"peertube": "films.cdn.example.org"}
    s3 = {"means": "s3", "endpoint": "https://s3.example.org", "region": "eu", "access_key": "k", "media": media}

    assert told({"bucket": s3 | {"acl": True}})["PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PRIVATE"] == "private"
    assert told({"bucket": s3 | {"acl": True}})["PEERTUBE_OBJECT_STORAGE_UPLOAD_ACL_PUBLIC"] == "public-read"
    with pytest.raises(ConfigurationError, match=r"policies\.bucket\.acl"):
        told({"bucket": s3})


def test_nothing_that_it_logs_is_secret() -> None:
    assert told()["PEERTUBE_LOG_LEVEL"] == "warn"


@pytest.mark.parametrize(
    ("settings", "variable", "value"),
    [
        ({}, "PEERTUBE_LISTEN_HOSTNAME", "127.0.0.1"),
        ({}, "PEERTUBE_ADMIN_EMAIL", "test@fedi.test"),
        ({}, "PEERTUBE_INSTANCE_NAME", "peertube.fedi.test"),
        ({"title": "Our films"}, "PEERTUBE_INSTANCE_NAME", "Our films"),
        ({"description": "Of the sea"}, "PEERTUBE_INSTANCE_DESCRIPTION", "Of the sea"),
        ({"description": "Of the sea"}, "PEERTUBE_INSTANCE_SHORT_DESCRIPTION", "Of the sea"),
        ({"subdomain": "films"}, "PEERTUBE_WEBSERVER_HOSTNAME", "films.fedi.test"),
        ({"subdomain": "films"}, "PEERTUBE_OBJECT_STORAGE_WEB_VIDEOS_BASE_URL", "https://media.films.fedi.test"),
        ({}, "PEERTUBE_SIGNUP_ENABLED", "false"),
        ({"registrations": "open"}, "PEERTUBE_SIGNUP_ENABLED", "true"),
        ({"registrations": "open"}, "PEERTUBE_SIGNUP_REQUIRES_APPROVAL", "false"),
        ({"registrations": "approved"}, "PEERTUBE_SIGNUP_ENABLED", "true"),
        ({"registrations": "approved"}, "PEERTUBE_SIGNUP_REQUIRES_APPROVAL", "true"),
        ({"registrations": "open"}, "PEERTUBE_SIGNUP_LIMIT", "-1"),
        ({"maxUsers": 50}, "PEERTUBE_SIGNUP_LIMIT", "50"),
        ({"transcoding": False}, "PEERTUBE_TRANSCODING_ENABLED", "false"),
        ({"transcodingResolutions": ["480p"]}, "PEERTUBE_TRANSCODING_480P", "true"),
        ({"transcodingResolutions": ["480p"]}, "PEERTUBE_LIVE_TRANSCODING_480P", "true"),
        ({"transcodingResolutions": ["480p"]}, "PEERTUBE_TRANSCODING_2160P", "false"),
        ({"transcodingConcurrency": 3}, "PEERTUBE_TRANSCODING_CONCURRENCY", "3"),
        ({"transcodingThreads": 0}, "PEERTUBE_TRANSCODING_THREADS", "0"),
        ({"remoteRunners": True}, "PEERTUBE_TRANSCODING_REMOTE_RUNNERS_ENABLED", "true"),
        ({"remoteRunners": True}, "PEERTUBE_LIVE_TRANSCODING_REMOTE_RUNNERS_ENABLED", "true"),
        ({"live": True}, "PEERTUBE_LIVE_ENABLED", "true"),
        ({"live": True, "transcoding": False}, "PEERTUBE_LIVE_ALLOW_REPLAY", "false"),
        ({"importFromWeb": True}, "PEERTUBE_IMPORT_VIDEOS_HTTP", "true"),
        ({"importTorrents": True}, "PEERTUBE_IMPORT_VIDEOS_TORRENT", "true"),
        ({"userQuotaGigabytes": 5}, "PEERTUBE_USER_VIDEO_QUOTA", "5000000000"),
        ({"dailyQuotaGigabytes": 2}, "PEERTUBE_USER_VIDEO_QUOTA_DAILY", "2000000000"),
    ],
)
def test_settings_reach_the_variables(settings: dict[str, Any], variable: str, value: str) -> None:
    assert told(**settings)[variable] == value


def test_what_is_not_set_stays_as_an_administrator_of_peertubes_has_it() -> None:
    known = told()

    assert not [name for name in known if "QUOTA" in name or name.endswith(("0P", "DESCRIPTION"))]


def test_the_port_for_live_streams_is_one_that_nobody_else_may_have() -> None:
    both = only({"peertube": "spare", "gotosocial": "spare"}, {"port": {"allotted": {"gotosocial-web": 1935}}})
    both.deployment(configuration("peertube", "gotosocial"))
    with pytest.raises(ConfigurationError, match="1935"):
        both.deployment(configuration("peertube", "gotosocial", peertube={"live": True}))


def test_the_port_for_live_streams_is_told_only_where_there_are_some() -> None:
    allotted = {"port": {"allotted": {"peertube-rtmp": 1940}}}

    assert "PEERTUBE_LIVE_RTMP_PORT" not in told()
    assert told(live=True)["PEERTUBE_LIVE_RTMP_PORT"] == "1935"
    assert told(allotted, live=True)["PEERTUBE_LIVE_RTMP_PORT"] == "1940"


def test_newcomers_confirm_their_address_where_there_is_mail() -> None:
    relay = {"mail": {"host": "relay.example.org"}}

    assert told(relay, registrations="open")["PEERTUBE_SIGNUP_REQUIRES_EMAIL_VERIFICATION"] == "true"
    assert told(registrations="open")["PEERTUBE_SIGNUP_REQUIRES_EMAIL_VERIFICATION"] == "false"


def test_quotas_are_the_only_limit_of_what_is_uploaded() -> None:
    there = files(environment().deployment(configuration("peertube")).hosts["peertube"])

    assert "max_size 1000000MB" in there["/etc/caddy/sites/peertube.fedi.test.caddy"]


def test_proxies_are_told_as_a_list_in_json() -> None:
    known = told({"web": {"proxies": ["192.0.2.0/24", "2001:db8::/32"]}})

    assert json.loads(known["PEERTUBE_TRUST_PROXY"]) == ["127.0.0.1/32", "192.0.2.0/24", "2001:db8::/32"]


def test_further_authorities_and_private_networks_reach_it() -> None:
    usual, lab = told(), told({"web": {"trust": CERTIFICATE, "private_networks": ["10.0.0.0/8"]}})

    assert usual["PEERTUBE_FEDERATION_PREVENT_SSRF"] == "true"
    assert "NODE_EXTRA_CA_CERTS" not in usual
    assert lab["PEERTUBE_FEDERATION_PREVENT_SSRF"] == "false"
    assert lab["NODE_EXTRA_CA_CERTS"] == "/etc/ssl/certs/ca-certificates.crt"


def test_a_shared_database_is_reached_by_an_encrypted_connection() -> None:
    assert told()["PEERTUBE_DB_SSL"] == "false"
    assert told({"postgresql": {"host": "spare"}})["PEERTUBE_DB_SSL"] == "true"


def test_it_is_checked_as_a_user_would_see_it() -> None:
    checks = environment().deployment(configuration("peertube")).checks

    assert {"http-answers", "node-info"} <= {check.kind for check in checks}
    assert {check.application for check in checks} == {"peertube"}


def refusals(person: dict[str, str], **settings: Any) -> dict[str, str]:
    usual = {"displayName": "Testy", "username": "test", "email": "test@fedi.test"}
    chosen = {"domain": "fedi.test", "initialUser": usual | person, "peertube": {"enable": True, **settings}}
    model = configuration_model({"peertube": Peertube()})
    with pytest.raises(ConfigurationError) as refused:
        model.model_validate_json(json.dumps(chosen))
    return {mistake.path: mistake.message for mistake in refused.value.mistakes}


def test_peertubes_own_name_is_refused_when_planning() -> None:
    refused = refusals({"username": "peertube"})

    assert refused == {"initialUser.username": "is a name that peertube keeps for itself"}


def test_a_password_that_peertube_would_not_take_is_refused_when_planning() -> None:
    assert not list(Peertube().limits.mistakes("peertube", configuration("peertube").initial_user, "x" * 50))
    (mistake,) = Peertube().limits.mistakes("peertube", configuration("peertube").initial_user, "x" * 51)
    assert mistake == Mistake("initialUser.password", mistake.message)


# The initial user, made over the REST API


@pytest.fixture
def job() -> Job:
    job: Job = item(Job, "initial user")
    return job


@pytest.fixture
def peertube() -> Iterator[FakePeertube]:
    with FakePeertube(DOMAIN, FIRST) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(
    command: tuple[str, ...], server: FakePeertube, *, password: str = PASSWORD
) -> subprocess.CompletedProcess[str]:
    return run_script(command, server.server_port, password=password)


def run_script(command: tuple[str, ...], port: int, *, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    here = {"python3": sys.executable, "9000": str(port)}
    words = [here.get(word, word) for word in command]
    done = subprocess.run(
        words, input=f"{FIRST}\n{ROOT}\n{password}", capture_output=True, text=True, timeout=30, env={}, check=False
    )
    for secret in (PASSWORD, ROOT, FIRST):
        assert secret not in done.stdout + done.stderr
    return done


def test_all_passwords_travel_on_standard_input_only(job: Job) -> None:
    first, own = (SecretRef(name=f"peertube/{name}", permanent=True) for name in ("root", "administrator"))

    assert job.stdin == SecretText(parts=(first, "\n", own, "\n", initial_password("peertube")))
    assert job.run[-6:] == ("make", "9000", DOMAIN, "test", "test@fedi.test", "Testy McTestface")


def test_the_user_is_made_as_administrator(job: Job, peertube: FakePeertube) -> None:
    assert run(job.check, peertube).returncode == 1
    assert run(job.run, peertube).returncode == 0
    assert run(job.check, peertube).returncode == 0

    made = peertube.users["test"]
    assert (made["email"], made["role"]) == ("test@fedi.test", ADMINISTRATOR)
    assert made["displayName"] == "Testy McTestface"
    assert peertube.users["root"]["email"] == f"root@{DOMAIN}"


def test_roots_first_password_which_the_log_tells_is_replaced_before_anything_else(
    job: Job, peertube: FakePeertube
) -> None:
    run(job.run, peertube)

    assert peertube.users["root"]["password"] == ROOT
    changes = [call for call in peertube.calls if call.split("/")[0] == "PUT " or call == "POST /api/v1/users"]
    assert changes[0] == "PUT /api/v1/users/1"


def test_a_user_who_is_there_does_not_hide_that_root_still_has_the_first_password(
    job: Job, peertube: FakePeertube
) -> None:
    run(job.run, peertube)
    peertube.users["root"]["password"] = FIRST

    assert run(job.check, peertube).returncode == 1
    assert run(job.run, peertube).returncode == 0
    assert peertube.users["root"]["password"] == ROOT


def test_wherever_it_is_cut_the_next_run_ends_well(job: Job, peertube: FakePeertube) -> None:
    cut = 0
    while True:
        peertube.users.clear()
        peertube.add("root", FIRST, "test@fedi.test", ADMINISTRATOR)
        peertube.answers_left = cut
        if run(job.run, peertube).returncode == 0:
            break
        peertube.answers_left = 10**9
        assert run(job.check, peertube).returncode == 0 or run(job.run, peertube).returncode == 0
        assert (peertube.users["root"]["password"], peertube.users["test"]["password"]) == (ROOT, PASSWORD)
        assert peertube.users["test"]["displayName"] == "Testy McTestface"
        cut += 1
    assert cut > 10


def test_it_leaves_no_session_behind(job: Job, peertube: FakePeertube) -> None:
    for command in (job.check, job.run, job.check):
        run(command, peertube)

    assert peertube.tokens == {}


def test_making_the_user_again_makes_no_second_one(job: Job, peertube: FakePeertube) -> None:
    run(job.run, peertube)

    assert run(job.run, peertube).returncode == 0
    assert peertube.calls.count("POST /api/v1/users") == 1
    assert list(peertube.users) == ["root", "test"]


def test_who_has_the_right_password_stays_signed_in(job: Job, peertube: FakePeertube) -> None:
    run(job.run, peertube)
    peertube.tokens["Bearer phone"] = "test"
    peertube.users["test"]["email"] = "old@fedi.test"

    assert run(job.run, peertube).returncode == 0
    assert peertube.users["test"]["email"] == "test@fedi.test"
    assert "Bearer phone" in peertube.tokens


def test_another_password_shuts_everybody_out(job: Job, peertube: FakePeertube) -> None:
    run(job.run, peertube)
    peertube.tokens["Bearer thief"] = "test"

    assert run(job.run, peertube, password="another horse").returncode == 0
    assert peertube.tokens == {}


def test_a_user_among_many_is_found(job: Job, peertube: FakePeertube) -> None:
    run(job.run, peertube)
    for number in range(250):
        peertube.add(f"tester{number}", "x" * 12, f"{number}@test.test", USER)

    assert run(job.check, peertube).returncode == 0
    assert run(job.run, peertube).returncode == 0


def test_a_user_whom_250_of_like_names_came_before_is_found(job: Job, peertube: FakePeertube) -> None:
    for number in range(250):
        peertube.add(f"tester{number}", "x" * 12, f"{number}@test.test", USER)

    assert run(job.run, peertube).returncode == 0
    assert run(job.run, peertube).returncode == 0
    assert peertube.calls.count("POST /api/v1/users") == 1


def test_a_user_who_is_like_another_is_told_apart(job: Job, peertube: FakePeertube) -> None:
    peertube.add("test_two", "x" * 12, "two@fedi.test", USER)

    assert run(job.run, peertube).returncode == 0
    assert peertube.users["test_two"]["password"] == "x" * 12
    assert run(job.check, peertube).returncode == 0


@pytest.mark.parametrize(
    "changed",
    [{"password": "changed by hand"}, {"email": "old@fedi.test"}, {"role": USER}, {"displayName": "Other"}],
    ids=str,
)
def test_what_is_otherwise_does_not_hold_and_is_mended(
    changed: dict[str, Any], job: Job, peertube: FakePeertube
) -> None:
    run(job.run, peertube)
    peertube.users["test"].update(changed)

    assert run(job.check, peertube).returncode == 1
    assert run(job.run, peertube).returncode == 0
    assert run(job.check, peertube).returncode == 0


def test_an_address_in_other_letters_is_the_same(job: Job, peertube: FakePeertube) -> None:
    run(job.run, peertube)
    peertube.users["test"]["email"] = "Test@Fedi.test"

    assert run(job.check, peertube).returncode == 0


def test_who_signs_in_with_a_second_factor_is_as_wanted(job: Job, peertube: FakePeertube) -> None:
    run(job.run, peertube)
    peertube.users["test"]["secondFactor"] = True

    assert run(job.check, peertube).returncode == 0
    assert run(job.run, peertube).returncode == 0


def test_behind_a_second_factor_all_but_the_displayed_name_is_mended_and_that_is_said(
    job: Job, peertube: FakePeertube
) -> None:
    run(job.run, peertube)
    changed = {"secondFactor": True, "displayName": "Other", "email": "old@fedi.test", "password": "changed by hand"}
    peertube.users["test"].update(changed)

    done = run(job.run, peertube)

    assert done.returncode == 1
    assert "test signs in with a second factor" in done.stderr
    assert (peertube.users["test"]["email"], peertube.users["test"]["password"]) == ("test@fedi.test", PASSWORD)


def test_a_second_factor_of_roots_is_a_failure_in_words(job: Job, peertube: FakePeertube) -> None:
    run(job.run, peertube)
    peertube.users["root"]["secondFactor"] = True

    done = run(job.run, peertube)

    assert done.returncode == 1
    assert "root signs in with a second factor" in done.stderr


def test_checking_changes_nothing(job: Job, peertube: FakePeertube) -> None:
    run(job.check, peertube)
    run(job.run, peertube)
    made = {name: dict(user) for name, user in peertube.users.items()}
    run(job.check, peertube)

    assert peertube.users == made


def test_a_root_who_is_the_initial_user_gets_address_and_name(peertube: FakePeertube) -> None:
    job = item(Job, "initial user", {"display_name": "Boss", "username": "root", "email": "boss@fedi.test"})

    assert run(job.run, peertube).returncode == 0
    assert run(job.check, peertube).returncode == 0
    root = peertube.users["root"]
    assert (root["email"], root["displayName"], root["password"]) == ("boss@fedi.test", "Boss", PASSWORD)


def test_a_server_of_another_name_refuses_and_is_quoted(job: Job, peertube: FakePeertube) -> None:
    peertube.domain = "other.test"

    for command in (job.run, job.check):
        done = run(command, peertube)
        assert done.returncode == 1
        assert "PeerTube answered GET /oauth-clients/local with 403" in done.stderr


def test_an_address_that_is_taken_is_a_failure_with_upstreams_words(job: Job, peertube: FakePeertube) -> None:
    peertube.users["root"]["email"] = "root@fedi.test"
    peertube.add("other", "x" * 12, "test@fedi.test", USER)

    done = run(job.run, peertube)

    assert done.returncode == 1
    assert "POST /users with 409" in done.stderr
    assert "already exists" in done.stderr


def test_a_root_with_another_password_is_a_failure_with_a_way_out(job: Job, peertube: FakePeertube) -> None:
    peertube.users["root"]["password"] = "neither of the two"

    done = run(job.run, peertube)

    assert done.returncode == 1
    assert "npm run reset-password -- -u root" in done.stderr


def test_a_server_that_is_not_there_is_a_failure_and_no_traceback(job: Job, peertube: FakePeertube) -> None:
    peertube.shutdown()
    peertube.server_close()

    for command in (job.run, job.check):
        done = run(command, peertube)
        assert done.returncode == 1
        assert "Connection refused" in done.stderr
        assert "Traceback" not in done.stderr
