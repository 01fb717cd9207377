"""Somebody out there who uses a Mastodon of the lab over the web: led to an address, trusting the lab's authority."""

import re
import ssl

import httpx

from fedikit.errors import FedikitError


def visitor_at(address: str, site: str, trust: ssl.SSLContext, *, seconds: float = 30.0) -> httpx.Client:
    """A visitor of that site, for whom every name leads to one address. Each step of a request has so many seconds."""
    return httpx.Client(transport=_Directly(address, trust), base_url=f"https://{site}", timeout=seconds)


def sign_in(visitor: httpx.Client, email: str, password: str) -> str:
    """Through the form, as a browser does; the token that the pages are given, which the visitor shows from now on.

    Raises FedikitError where the server shows other pages than those of somebody who is let in.
    """
    token = _found(r'name="authenticity_token" value="([^"]+)"', visitor.get("/auth/sign_in"))
    fields = {"authenticity_token": token, "user[email]": email, "user[password]": password}
    visitor.post("/auth/sign_in", data=fields)
    bearer = _found(r'"access_token": ?"([^"]+)"', visitor.get("/home"))
    visitor.headers["Authorization"] = f"Bearer {bearer}"
    return bearer


def _found(pattern: str, page: httpx.Response) -> str:
    if match := re.search(pattern, page.text):
        return match[1]
    raise FedikitError(f"{page.url} answers {page.status_code}, not the page of who is let in: {page.text[:500]}")


class _Directly(httpx.BaseTransport):
    """Leads every name to one address."""

    def __init__(self, address: str, trust: ssl.SSLContext) -> None:
        self._address, self._inner = address, httpx.HTTPTransport(verify=trust)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        extensions = {**request.extensions, "sni_hostname": request.url.host}
        url = request.url.copy_with(host=self._address)
        sent = httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)
        return self._inner.handle_request(sent)

    def close(self) -> None:
        self._inner.close()
