"""A verdict as JUnit XML, which CI systems read: a suite an application, a test case a check."""

import re
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fedikit.results.check import CheckResult

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(results: tuple[CheckResult, ...]) -> str:
    """The results as an XML document."""
    root = Element("testsuites", _counts(results))
    ordered = sorted(results, key=lambda result: result.application)
    for application, group in groupby(ordered, key=lambda result: result.application):
        _add_suite(root, application, tuple(group))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _add_suite(root: Element, application: str, results: tuple[CheckResult, ...]) -> None:
    suite = SubElement(root, "testsuite", {"name": _clean(application), **_counts(results)})
    for result in results:
        names = {"classname": _clean(application), "name": _clean(result.name)}
        case = SubElement(suite, "testcase", {**names, "time": f"{result.seconds:.3f}"})
        if result.passed:
            SubElement(case, "system-out").text = _clean(result.detail)
        else:
            SubElement(case, "failure", {"message": _clean(result.detail)}).text = _clean(
                f"{result.detail}\nafter {result.attempts} attempts in {result.seconds:.1f} s"
            )


def _counts(results: tuple[CheckResult, ...]) -> dict[str, str]:
    failures = sum(not result.passed for result in results)
    longest = max((result.seconds for result in results), default=0)  # they run side by side
    return {"tests": str(len(results)), "failures": str(failures), "errors": "0", "time": f"{longest:.3f}"}


def _clean(text: str) -> str:
    return _NOT_IN_XML.sub("�", text)
