"""Web sites by Caddy: one site file each, certificates by ACME, and names that lead to the host."""

import json
import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from fedikit.model.check import DnsResolves, TlsIsValid
from fedikit.model.host import DnsRecord, records_at
from fedikit.model.item import Directory, File, Item, Job, Package, Unit
from fedikit.model.permission import Permission
from fedikit.model.policy import CannotFulfil, Opening, Place, Policy, Provision
from fedikit.model.request import Route, WebSite
from fedikit.model.resource import OtherServers
from fedikit.model.text import Fact, number
from fedikit.model.value import Certificates, EmailAddress, HttpsUrl, IpNetwork, Protocol, Written
from fedikit.policies.garage import bracketed

CADDYFILE = "/etc/caddy/Caddyfile"
SITES = "/etc/caddy/sites"
CLOSED = "/etc/caddy/closed"
"""Where the page of a site that is closed lies, as long as it is."""
CLOSED_HEADER = "Fedikit-Closed"
"""What an answer bears by which checks know that a site is closed."""
RETRY_SECONDS = 600
"""In how long who comes to a closed site is told to try again."""
ACME_ROOT = "/etc/caddy/acme-root.pem"
ADMIN = "/var/lib/caddy/admin.sock"
TRUST = "/usr/local/share/ca-certificates/fedikit.crt"
UPDATE_TRUST = "update-ca-certificates"
BUFFERED_MEGABYTES = 100
"""What lies in Caddy's memory until it is there as a whole; the rest of a larger upload is passed on as it comes."""
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""What the host trusts, all in one file, of Debian's package ca-certificates."""
_NOTHING_ELSE = "\thandle {\n\t\trespond 404\n\t}\n"


class WebPolicy(Written, Policy[WebSite | OtherServers]):
    """Puts Caddy in front of web sites; it obtains and renews their certificates."""

    fulfils: ClassVar = WebSite | OtherServers
    means: Literal["caddy"] = "caddy"
    """The web server."""
    acme_directory: HttpsUrl | None = Field(
        None,
        title="ACME directory",
        description="The CA that certificates are asked of; Caddy's usual one, Let's Encrypt, if absent.",
        examples=["https://acme-v02.api.letsencrypt.org/directory"],
    )
    acme_root: Certificates | None = Field(
        None,
        title="ACME root",
        description="A PEM file, beside this one, with certificates by which hosts recognise a CA of your own.",
    )
    trust: Certificates | None = Field(
        None,
        title="Trusted CAs",
        description="A PEM file, beside this one, with certificates that hosts with web sites trust besides the "
        "well-known CAs when they speak with other servers. Applications in containers get it too.",
    )
    private_networks: tuple[IpNetwork, ...] = Field(
        (),
        title="Private networks",
        description="Networks whose servers applications may speak with though they are private, as in a lab.",
        examples=[["10.9.0.0/24"]],
    )
    proxies: tuple[IpNetwork, ...] = Field(
        (),
        title="Proxies",
        description="Networks of proxies before these hosts, such as a CDN, whose word is taken for who a visitor is.",
        examples=[["192.0.2.0/24", "2001:db8::/32"]],
    )
    email: EmailAddress | None = Field(
        None, title="E-mail", description="Whom the CA may write to about the certificates."
    )

    def provide(self, request: WebSite | OtherServers, place: Place) -> Provision:
        if isinstance(request, OtherServers):
            return Provision(items=self._trusted(), facts=self._told())
        caddyfile = File(path=CADDYFILE, content=self._caddyfile())
        files = (*self._acme_root(), self._site_file(request, place))
        # A reload is told to the running server where the new file says: it would not find it if that changes
        trusted = self._trusted()
        known = tuple(item.id for item in trusted if isinstance(item, File))  # read once, when it starts
        unit = Unit(name="caddy.service", restart_on=(caddyfile.id, *known), reload_on=tuple(file.id for file in files))
        return Provision(
            items=(
                *trusted,
                Package(name="caddy"),
                Directory(path=SITES),
                Directory(path=CLOSED),
                caddyfile,
                *files,
                unit,
            ),
            opens=_opens(place),
            dns=_records(request, place),
            checks=tuple(_checks(request, place)),
        )

    def _told(self) -> dict[str, Fact]:
        """What applications may know of other servers."""
        proxies = ("127.0.0.1/32", *self.proxies)
        return {
            "ca-file": CA_BUNDLE if self.trust else "",
            "certificates": self.trust or "",
            "private-networks": ",".join(self.private_networks),
            "is-private": "yes" if self.private_networks else "no",
            "proxies": ",".join(proxies),
            "proxies-json": json.dumps(proxies),
        }

    def _trusted(self) -> tuple[Item, ...]:
        """What makes the host's programs trust further CAs."""
        if not self.trust:
            return ()
        file = File(path=TRUST, content=self.trust)
        # The job leaves before its file does, so it takes the file away itself
        undo = ("sh", "-c", f"rm -f {TRUST} && {UPDATE_TRUST} --fresh")
        job = Job(name="trusted certificates", run=(UPDATE_TRUST,), undo=undo, inputs=(file.id,))
        return (Package(name="ca-certificates"), file, job)

    def _acme_root(self) -> tuple[File, ...]:
        return (File(path=ACME_ROOT, content=self.acme_root),) if self.acme_root else ()

    def _site_file(self, site: WebSite, place: Place) -> File:
        headers = "".join(f'\theader {name} "{text}"\n' for name, text in sorted(site.headers.items()))
        body = f"\trequest_body {{\n\t\tmax_size {site.max_body_megabytes}MB\n\t}}\n"
        readable = _readable(site.domain, self._within(site, place, _instead(site.domain))) if site.reads else ""
        opened = _indented(f"handle {{\n{self._within(site, place)}}}\n")
        errors = _errors(site.domain) if site.reads else ""
        text = f"{site.domain} {{\n{headers}{body}{_door(site.domain)}{readable}{opened}{errors}}}\n"
        return File(path=site_file(site.domain), content=text)

    def _within(self, site: WebSite, place: Place, instead: Sequence[str] = ()) -> str:
        """What answers which path; `instead`: what is done with answers of software that failed."""
        if site.passed_to:
            return _passed_on(site.domain, site.passed_to)
        routes = "".join(self._handler(route, site, place, instead) for route in site.routes)
        elsewhere = "".join(_redirection(path, domain) for path, domain in site.redirects.items())
        rest = "" if any(route.path == "/*" for route in site.routes) else _NOTHING_ELSE
        return f"{routes}{elsewhere}{rest}"

    def _handler(self, route: Route, site: WebSite, place: Place, instead: Sequence[str]) -> str:
        options = ["buffer_requests", f"max_buffer_size {BUFFERED_MEGABYTES}MB"] if site.buffered else []
        options += [f"trusted_proxies {' '.join(self.proxies)}"] if self.proxies else []
        block = "".join(f"\t\t\t{option}\n" for option in [*options, *instead])
        behind = f"127.0.0.1:{number(route.port, place.facts)}"
        proxy = f"reverse_proxy {behind} {{\n{block}\t\t}}" if block else f"reverse_proxy {behind}"
        asked = _permission(route.permission) if route.permission else ""
        return f"\thandle {route.path} {{\n{asked}\t\t{proxy}\n\t}}\n"

    def _caddyfile(self) -> str:
        """Its admin API is no port: who can connect to that can change what is served, and containers can."""
        options = {
            "admin": f"unix/{ADMIN}",
            "email": self.email,
            "acme_ca": self.acme_directory,
            "acme_ca_root": self.acme_root and ACME_ROOT,
        }
        lines = "".join(f"\t{name} {setting}\n" for name, setting in options.items() if setting)
        return f"{{\n{lines}}}\n\nimport {SITES}/*.caddy\n"


def site_file(domain: str) -> str:
    """Where a host has a web site described."""
    return f"{SITES}/{domain}.caddy"


def _door(domain: str) -> str:
    """What comes before all else while the site is closed, whatever is asked: a page, by its being there."""
    return _indented(_is_there("closed", domain) + _handle("closed", _page(domain)))


def _readable(domain: str, within: str) -> str:
    """What comes next while the site may be read: a page for what does not only read."""
    name = _reading(domain)
    writes = _indented("@writes not method GET HEAD\n" + _handle("writes", _page(name)))
    return _indented(f"{_is_there('reading', name)}handle @reading {{\n{writes}{within}}}\n")


def _instead(domain: str) -> list[str]:
    """The page in the place of an answer of software that failed, which may have wanted to write."""
    return ["@failed status 5xx", *_handle("failed", _page(_reading(domain)), "handle_response").splitlines()]


def _errors(domain: str) -> str:
    """The same where nothing answers any more."""
    name = _reading(domain)
    return _indented(f"handle_errors {{\n{_indented(_is_there('silent', name) + _handle('silent', _page(name)))}}}\n")


def _reading(domain: str) -> str:
    """What the page is called of a site that may be read."""
    return f"{domain}.reading"


def _is_there(matcher: str, name: str) -> str:
    return f"@{matcher} file {{\n\troot {CLOSED}\n\ttry_files /{name}.html\n}}\n"


def _handle(matcher: str, within: str, directive: str = "handle") -> str:
    return f"{directive} @{matcher} {{\n{_indented(within)}}}\n"


def _page(name: str) -> str:
    return (
        f"root * {CLOSED}\nrewrite * /{name}.html\n"
        f"header Retry-After {RETRY_SECONDS}\nheader Cache-Control no-store\nheader {CLOSED_HEADER} yes\n"
        "file_server {\n\tstatus 503\n}\n"
    )


def _indented(text: str) -> str:
    return "".join(f"\t{line}" for line in text.splitlines(keepends=True))


def _permission(asked: Permission) -> str:
    """Caddy's question before the answer. Steps of the visitor's path are those that are seen behind it, decoded."""
    path = re.sub(r"\{(\d)\}", r"{http.request.uri.path.\1}", asked.path)
    options = [f"uri {path}", f"header_up Host {asked.domain}", "header_up -Authorization"]
    options += [f'header_up {name} "{text}"' for name, text in sorted(asked.headers.items())]
    lines = "".join(f"\t\t\t{option}\n" for option in options)
    return f"\t\tforward_auth https://{asked.at or asked.domain} {{\n{lines}{_by_name(asked.domain)}\t\t}}\n"


def _by_name(domain: str) -> str:
    """Whoever answers must have the certificate of that site, at whatever address."""
    return f"\t\t\ttransport http {{\n\t\t\t\ttls_server_name {domain}\n\t\t\t}}\n"


def _passed_on(domain: str, address: str) -> str:
    """All is asked of the host that has the site by now, under its name."""
    options = f"\t\t\theader_up Host {domain}\n{_by_name(domain)}"
    return f"\thandle {{\n\t\treverse_proxy https://{bracketed(address)} {{\n{options}\t\t}}\n\t}}\n"


def _redirection(path: str, domain: str) -> str:
    return f"\thandle {path} {{\n\t\tredir https://{domain}{{uri}} permanent\n\t}}\n"


def _opens(place: Place) -> tuple[Opening, ...]:
    """HTTP, which is sent on to HTTPS, and HTTP/3, which goes over UDP."""
    doors: tuple[tuple[int, Protocol], ...] = ((80, "tcp"), (443, "tcp"), (443, "udp"))
    return tuple(Opening(host=place.host, port=port, protocol=over, what="web sites") for port, over in doors)


def _records(site: WebSite, place: Place) -> tuple[DnsRecord, ...]:
    addresses = place.connection.public_addresses
    if not addresses:
        raise CannotFulfil(
            f"hosts.{place.host}.public_address",
            f"is missing: {site.domain} needs the IP address of its host, {place.connection.address} is a name",
        )
    return records_at(site.domain, addresses)


def _checks(site: WebSite, place: Place) -> list[DnsResolves | TlsIsValid]:
    resolves = [
        DnsResolves(application=place.application, domain=site.domain, address=address)
        for address in place.connection.public_addresses
    ]
    return [*resolves, TlsIsValid(application=place.application, domain=site.domain)]
