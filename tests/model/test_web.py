"""Caddy's files, as the web policy writes them; that Caddy takes them is shown on a real machine elsewhere."""

from fedikit.model import File, Place, Route, Ssh, WebSite
from fedikit.model.request import Request
from fedikit.policies import WebPolicy

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxmvDXEmd4pbRRnqlLS0D5oB9c7PSaZ4hUJ4mSH4hYT"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PLACE = Place(application="probe", host="social", hosts={"social": Ssh(address="192.0.2.1", host_key=HOST_KEY)})
SITE = WebSite(domain="one.test", routes=(Route(port=8001),))


def files(policy: WebPolicy, site: Request = SITE) -> dict[str, str]:
    items = policy.typed(PLACE)(site).items  # type: ignore[arg-type]
    return {item.path: item.content for item in items if isinstance(item, File) and isinstance(item.content, str)}


def test_without_further_settings_caddy_asks_its_usual_ca() -> None:
    assert files(WebPolicy())["/etc/caddy/Caddyfile"] == (
        "{\n\tadmin unix//var/lib/caddy/admin.sock\n}\n\nimport /etc/caddy/sites/*.caddy\n"
    )


def test_another_ca_is_asked_and_recognised_by_its_own_certificate() -> None:
    policy = WebPolicy(acme_directory="https://acme.lab:14000/dir", acme_root=PEM, email="admin@one.test")

    assert files(policy)["/etc/caddy/acme-root.pem"] == PEM
    assert files(policy)["/etc/caddy/Caddyfile"] == (
        "{\n"
        "\tadmin unix//var/lib/caddy/admin.sock\n"
        "\temail admin@one.test\n"
        "\tacme_ca https://acme.lab:14000/dir\n"
        "\tacme_ca_root /etc/caddy/acme-root.pem\n"
        "}\n"
        "\n"
        "import /etc/caddy/sites/*.caddy\n"
    )


def test_a_site_has_a_file_of_its_own() -> None:
    site = WebSite(
        domain="one.test",
        routes=(Route(path="/api/*", port=4000), Route(port=3000)),
        max_body_megabytes=99,
        headers={"X-Robots-Tag": "noindex"},
    )

    assert files(WebPolicy(), site)["/etc/caddy/sites/one.test.caddy"] == (
        "one.test {\n"
        '\theader X-Robots-Tag "noindex"\n'
        "\trequest_body {\n"
        "\t\tmax_size 99MB\n"
        "\t}\n"
        "\t@closed file {\n"
        "\t\troot /etc/caddy/closed\n"
        "\t\ttry_files /one.test.html\n"
        "\t}\n"
        "\thandle @closed {\n"
        "\t\troot * /etc/caddy/closed\n"
        "\t\trewrite * /one.test.html\n"
        "\t\theader Retry-After 600\n"
        "\t\theader Cache-Control no-store\n"
        "\t\theader Fedikit-Closed yes\n"
        "\t\tfile_server {\n"
        "\t\t\tstatus 503\n"
        "\t\t}\n"
        "\t}\n"
        "\thandle {\n"
        "\t\thandle /api/* {\n"
        "\t\t\treverse_proxy 127.0.0.1:4000\n"
        "\t\t}\n"
        "\t\thandle /* {\n"
        "\t\t\treverse_proxy 127.0.0.1:3000\n"
        "\t\t}\n"
        "\t}\n"
        "}\n"
    )


def test_a_site_is_found_by_its_name_and_shown_by_a_certificate() -> None:
    provision = WebPolicy().typed(PLACE)(SITE)

    assert [(record.name, record.type, record.address) for record in provision.dns] == [("one.test", "A", "192.0.2.1")]
    assert [check.kind for check in provision.checks] == ["dns-resolves", "tls-is-valid"]


PAGE = [
    "root * /etc/caddy/closed",
    "rewrite * /one.test.reading.html",
    "header Retry-After 600",
    "header Cache-Control no-store",
    "header Fedikit-Closed yes",
    "file_server {",
    "status 503",
]
"""The page of a site that may be read, in its directives."""


def test_a_site_that_may_be_read_shows_its_page_to_all_that_writes_and_where_software_fails() -> None:
    text = files(WebPolicy(), SITE.model_copy(update={"reads": True}))["/etc/caddy/sites/one.test.caddy"]
    lines = [line.strip() for line in text.splitlines()]
    closed, reading, opened, errors = (
        lines.index(line) for line in ("handle @closed {", "handle @reading {", "handle {", "handle_errors {")
    )
    assert closed < reading < opened < errors
    while_read = lines[reading:opened]
    assert while_read[1:10] == ["@writes not method GET HEAD", "handle @writes {", *PAGE]
    proxied = while_read.index("reverse_proxy 127.0.0.1:8001 {")
    assert while_read[proxied + 1 :][:9] == ["@failed status 5xx", "handle_response @failed {", *PAGE]
    assert lines[opened + 1 : opened + 3] == ["handle /* {", "reverse_proxy 127.0.0.1:8001"]
    there = ["@silent file {", "root /etc/caddy/closed", "try_files /one.test.reading.html", "}", "handle @silent {"]
    assert lines[errors + 1 :][:12] == [*there, *PAGE]


def test_another_site_has_nothing_of_that() -> None:
    text = files(WebPolicy())["/etc/caddy/sites/one.test.caddy"]
    assert "reading" not in text
    assert "handle_errors" not in text
