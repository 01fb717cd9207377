"""Web pages as a visitor sees them: every name, also of a redirect, is resolved his way."""

import ssl
import time

import httpx

from fedikit.policies.web import CLOSED_HEADER
from fedikit.verify.names import at_port, is_address
from fedikit.verify.page import Asker, Page
from fedikit.verify.words import Closed, Unmet, causes_of, in_words

_BODY_LIMIT = 2 * 2**20
_PORTS = {"http": 80, "https": 443}


class _VisitorTransport(httpx.BaseTransport):
    """Connects to the address that the visitor finds for a name, yet asks and trusts by the name."""

    def __init__(self, visitor: Asker) -> None:
        self._visitor = visitor
        self._inner = httpx.HTTPTransport(verify=visitor.trust.context)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        problem = ""
        for address in self._visitor.addresses(request.url.host):
            try:
                return self._inner.handle_request(_sent_to(address, request))
            except httpx.TransportError as error:  # the next address may be better
                problem = self._explain(error, request.url, address)
        raise Unmet(wanted=f"an answer from {request.url}", seen=problem)

    def _explain(self, error: httpx.TransportError, url: httpx.URL, address: str) -> str:
        port = url.port or _PORTS[url.scheme]
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes_of(error)):
            self._visitor.certificate(url.host, port)  # raises Unmet, with what is wrong with it
        return in_words(error, at_port(address, port))

    def close(self) -> None:
        self._inner.close()


def get(url: str, *, visitor: Asker, auth: tuple[str, str] | None, redirects: int) -> Page:
    """What a page answers, after that many redirects at most. Raises Unmet."""
    ends = time.monotonic() + visitor.patience
    with httpx.Client(
        transport=_VisitorTransport(visitor), timeout=visitor.patience, trust_env=False, auth=auth
    ) as client:
        request = client.build_request("GET", url)
        for left in range(redirects, -1, -1):
            response = client.send(request, stream=True)
            if not left or response.next_request is None:
                break
            response.close()
            request = _safe(response.next_request, response.url)
        if CLOSED_HEADER in response.headers:
            raise Closed(wanted=f"an answer from {url}", seen="that it is closed, by a migration")
        return _page(response, ends)


def _sent_to(address: str, request: httpx.Request) -> httpx.Request:
    by_name = {} if is_address(request.url.host) else {"sni_hostname": request.url.host}
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,  # the Host is among them
        stream=request.stream,
        extensions={**request.extensions, **by_name},
    )


def _safe(request: httpx.Request, origin: httpx.URL) -> httpx.Request:
    if origin.scheme == "https" and request.url.scheme != "https":
        raise Unmet(wanted=f"HTTPS from {origin} on", seen=f"a redirect to {request.url}")
    return request


def _page(response: httpx.Response, ends: float) -> Page:
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > _BODY_LIMIT or time.monotonic() > ends:
                break
    except httpx.HTTPError as error:
        place = f"{response.url}"
        raise Unmet(wanted=f"the whole of {place}", seen=in_words(error, place)) from error
    finally:
        response.close()
    return Page(str(response.url), response.status_code, bytes(body[:_BODY_LIMIT]))
