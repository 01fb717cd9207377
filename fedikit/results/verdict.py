"""The verdict: what each check saw, as a value; also as JUnit XML, which CI systems read."""

from fedikit.model.check import DnsResolves, domain_of
from fedikit.model.value import Value
from fedikit.results.check import CheckResult


class Verdict(Value):
    """How all checks ended, in the order in which they were given."""

    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every check held; also when there was none."""
        return all(result.passed for result in self.results)

    def followers_of(self, result: CheckResult) -> tuple[CheckResult, ...]:
        """The other checks that failed for what this one saw: a name leads nowhere, or elsewhere; or it is closed."""
        if result.is_closed:
            mine = [other for other in self.results if other.application == result.application and not other.passed]
            first = next(other for other in mine if other.is_closed)
            return tuple(other for other in mine if other.name != first.name) if result.name == first.name else ()
        if result.passed or not isinstance(result.check, DnsResolves):
            return ()
        domain = result.check.domain
        return tuple(
            other
            for other in self.results
            if not other.passed
            and other.check is not None
            and not isinstance(other.check, DnsResolves)
            and domain_of(other.check) == domain
        )

    def junit(self) -> str:
        """The verdict as JUnit XML: a suite an application, a test case a check."""
        from fedikit.results.junit import as_junit  # brings an XML library, and few verdicts are written so

        return as_junit(self.results)
