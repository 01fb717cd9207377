"""A verdict in plain words: what works, what does not, and what to do about it.

One cause is told once: while a name does not lead to its host, everything else that is looked for there fails too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from fedikit.model.check import (
    BackupIsYoung,
    BucketWorks,
    Check,
    DnsResolves,
    HttpAnswers,
    NodeInfo,
    PageShows,
    ShellCommandPrints,
    SignsIn,
    TlsIsValid,
    WebFinger,
)
from fedikit.panel.owners import spelt
from fedikit.panel.said import told
from fedikit.panel.texts import Texts
from fedikit.results.check import CheckResult
from fedikit.results.verdict import Verdict


@dataclass(frozen=True)
class Problem:
    """Something that does not work."""

    what: str
    do: str
    """What to do about it."""
    seen: str
    """What the check saw."""


@dataclass(frozen=True)
class ApplicationInWords:
    """How one application does."""

    application: str
    """Its name in the configuration."""
    sentence: str
    problems: tuple[Problem, ...] = ()

    @property
    def works(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class VerdictInWords:
    """How all of them do, in the order of the checks."""

    sentence: str
    applications: tuple[ApplicationInWords, ...]


def verdict_in_words(verdict: Verdict, *, text: Texts) -> VerdictInWords:
    """The verdict in words."""
    names = dict.fromkeys(result.application for result in verdict.results)
    applications = tuple(_application(name, verdict.results, text) for name in names)
    failing = sum(not application.works for application in applications)
    if not applications:
        return VerdictInWords(text("There is nothing to check"), ())
    if not failing:
        return VerdictInWords(text("All services work"), applications)
    one, many = "One of {all} services does not work as it should", "{n} of {all} services do not work as they should"
    return VerdictInWords(text.plural(one, many, failing, all=len(applications)), applications)


def _application(name: str, results: Sequence[CheckResult], text: Texts) -> ApplicationInWords:
    own = [result for result in results if result.application == name]
    failed = [result for result in own if not result.passed]
    if not failed:
        sentence = text.plural("{name} works (one check)", "{name} works ({n} checks)", len(own), name=spelt(name))
        return ApplicationInWords(name, sentence)
    sentence = text.plural(
        "{name}: one of {all} checks failed",
        "{name}: {n} of {all} checks failed",
        len(failed),
        name=spelt(name),
        all=len(own),
    )
    return ApplicationInWords(name, sentence, tuple(_problem(result, text) for result in _causes(failed)))


def _causes(failed: Sequence[CheckResult]) -> Iterator[CheckResult]:
    """Those that no other explains: without its name no page is found, and without its certificate none is shown."""
    unnamed = {result.check.domain for result in failed if isinstance(result.check, DnsResolves)}
    unproven = {result.check.domain for result in failed if isinstance(result.check, TlsIsValid)}
    for result in failed:
        place = _place(result.check)
        is_first = isinstance(result.check, DnsResolves)
        is_second = isinstance(result.check, TlsIsValid) and place not in unnamed
        if is_first or is_second or place not in unnamed | unproven:
            yield result


def _place(check: Check | None) -> str:
    """The domain at which it looks."""
    match check:
        case DnsResolves() | TlsIsValid() | NodeInfo() | WebFinger():
            return check.domain
        case HttpAnswers() | PageShows() | SignsIn():
            return check.url.partition("://")[2].partition("/")[0].partition(":")[0]
        case _:
            return ""


def _problem(result: CheckResult, text: Texts) -> Problem:
    what, do = _words(result, text)
    return Problem(what, do, told(result.detail, text=text))


def _words(result: CheckResult, text: Texts) -> tuple[str, str]:
    later = text("It may still be starting: check again in a minute. If it stays so, ask your provider")
    match result.check:
        case DnsResolves(domain=domain, address=address):
            record = f"{domain}. {'A' if ip_address(address).version == 4 else 'AAAA'} {address}"
            do = "Set this record where you manage the domain, and wait until it is known (up to an hour): {record}"
            return text("The name {domain} does not lead to {address}", domain=domain, address=address), text(
                do, record=record
            )
        case TlsIsValid(domain=domain):
            do = (
                "The certificate is fetched by itself, which takes a few minutes once the name leads here. "
                "If it stays so, ask your provider"
            )
            return text("{domain} has no valid certificate: browsers warn of it", domain=domain), text(do)
        case HttpAnswers(url=url):
            return text("The page {url} does not answer as it should", url=url), later
        case PageShows(url=url, text=words):
            return text("The page {url} does not show “{words}”", url=url, words=words), later
        case NodeInfo(domain=domain):
            return text("{domain} does not tell other servers which software it is", domain=domain), later
        case WebFinger() as check:
            return text("Other servers do not find the account {account}", account=check.address), later
        case SignsIn(username=username, url=url):
            do = "If the password was changed in the application itself, nothing is wrong. Else ask your provider"
            return text("{username} cannot sign in at {url}", username=username, url=url), text(do)
        case BucketWorks(bucket=bucket):
            do = "Pictures and videos cannot be uploaded or shown until this is mended: ask your provider"
            return text("Media cannot be kept in {bucket}", bucket=bucket), text(do)
        case BackupIsYoung(application=application):
            do = "What would be lost with the machine cannot be brought back as it is now: ask your provider"
            return text("{name} has no recent backup", name=spelt(application)), text(do)
        case ShellCommandPrints(host=host):
            return text("The command does not work on {host}", host=host), text("Ask your provider")
        case _:
            return result.name, later
