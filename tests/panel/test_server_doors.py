"""What is answered at all, to whom: every route without a session, and tricks with paths."""

import http.client
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from fedikit.panel.server.application import ROUTES
from fedikit.panel.server.assets import OPEN, assets
from fedikit.panel.server.pages import ASSETS
from tests.panel.serving import Server, Visitor, serving

KERNEL = "11111111-2222-3333-4444-555555555555"
OPEN_PATHS = {"/login", *(f"{ASSETS}/{name}" for name in OPEN)}
EXAMPLES = {
    "/": "/",
    "/login": "/login",
    "/logout": "/logout",
    "/records/([^/]+)": "/records/20260101T000000Z-deploy",
    ROUTES[4][0]: f"/api/kernels/{KERNEL}",
    ROUTES[5][0]: f"/api/kernels/{KERNEL}/end",
    ROUTES[6][0]: f"/api/kernels/{KERNEL}/channels",
    ROUTES[7][0]: f"{ASSETS}/style.css",
    ROUTES[8][0]: f"{ASSETS}/voila/voila.js",
}
VOILAS = """/voila/static/voila.js /voila/files/panel.toml /voila/render/page.ipynb /voila/tree /voila/api/contents
/voila/api/shutdown/x /voila/query/x /voila/templates/lab/static/../../../../etc/passwd /voila/execution/x
/api/contents /api/kernels /api/kernelspecs /api/sessions /api/terminals /api/config/x
/api/status /api/me /terminals/websocket/1
/tree /lab /notebooks/page.ipynb /files/panel.toml /nbconvert/html/page.ipynb /view/page.ipynb /metrics
/page.ipynb /panel.toml /static/style.css /robots.txt /favicon.ico""".split()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("panel")) as server:
        yield server


@pytest.fixture(scope="module")
def alice(server: Server) -> Visitor:
    return server.signed_in()


def raw(server: Server, path: str, visitor: Visitor | None = None) -> tuple[int, bytes]:
    """What is answered to a path that no client puts in order first."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    cookies = visitor.client.cookies if visitor else {}
    connection.putrequest("GET", path, skip_accept_encoding=True)
    connection.putheader("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_every_route_has_its_example() -> None:
    assert [pattern for pattern, _ in ROUTES] == list(EXAMPLES)


@pytest.mark.parametrize("path", EXAMPLES.values())
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_who_is_not_signed_in_gets_nothing_but_the_door(server: Server, path: str, method: str) -> None:
    visitor = server.visitor()
    token = visitor.token()
    answer = visitor.client.request(method, path, headers={"X-XSRFToken": token})
    if path in OPEN_PATHS and method == "GET":
        assert answer.status_code == 200
    elif answer.status_code == 302:
        assert answer.headers["location"] == "/login"
        assert answer.content == b""
    else:
        assert answer.status_code in (403, 405)


@pytest.mark.parametrize("path", VOILAS)
def test_nothing_else_of_jupyters_and_voilas_is_there(server: Server, alice: Visitor, path: str) -> None:
    assert alice.get(path).status_code == 404
    assert server.visitor().get(path).status_code in (302, 404)


@pytest.mark.parametrize(
    "trick",
    [
        "/voila/../style.css", "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd", "/voila//etc/passwd", "/voila/%2fetc%2fpasswd",
        "/page.html", "/../files.py", "/login.html", "/..", "/voila/",
        "/voila/voila.js%00.css", "/voila\\..\\style.css", "/style.css/", "/voila/treepage.js/../../panel.html",
    ],
)  # fmt: skip
def test_tricks_with_paths_lead_nowhere(server: Server, alice: Visitor, trick: str) -> None:
    for visitor in (None, alice):
        status, body = raw(server, f"{ASSETS}{trick}", visitor)
        assert status in (302, 400, 403, 404)
        assert b"root:" not in body
        assert b"import" not in body


def test_the_list_of_files_holds_pages_files_only(alice: Visitor) -> None:
    assert {file.suffix for file in assets().values()} <= {".js", ".css", ".svg", ".woff", ".woff2", ".ttf"}
    answer = alice.get(f"{ASSETS}/voila/voila.js")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript")
    assert "immutable" in answer.headers["cache-control"]


def test_the_panel_needs_nothing_from_elsewhere(alice: Visitor) -> None:
    page = alice.open_panel().html
    assert "//" not in page.replace("<!--", "").split("<script id=")[0].replace("<!doctype", "")
    assert "cdn" not in page.lower()
    assert "<noscript>" in page
    assert '<html lang="en">' in page
    assert 'name="viewport"' in page


def test_a_record_is_shown_in_a_sandbox_and_to_its_operator_only(server: Server, alice: Visitor) -> None:
    records = server.state / "operators/alice/runs"
    record = records / "20260101T000000Z-deploy"
    record.mkdir(parents=True)
    output = nbformat.v4.new_output("display_data", {"text/html": "<script>alert(1)</script><b>done</b>"})
    cell = nbformat.v4.new_code_cell("run.apply()", outputs=[output])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), record / "deploy.ipynb")
    answer = alice.get(f"/records/{record.name}")
    assert answer.status_code == 200
    assert "<b>done</b>" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "script" not in policy
    assert "<script" not in answer.text.replace("<script>alert(1)</script>", "")
    assert server.signed_in("bob").get(f"/records/{record.name}").status_code == 404
    for name in ("..", "%2e%2e", "..%2f..%2falice", ".hidden", "nothing", f"{record.name}%2f..%2f{record.name}"):
        assert raw(server, f"/records/{name}", alice)[0] == 404


def test_a_record_that_is_a_link_is_none(server: Server, alice: Visitor, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    nbformat.write(nbformat.v4.new_notebook(), elsewhere / "x.ipynb")
    records = server.state / "operators/alice/runs"
    records.mkdir(parents=True, exist_ok=True)
    (records / "link").symlink_to(elsewhere)
    real = records / "real"
    real.mkdir()
    (real / "deploy.ipynb").symlink_to(elsewhere / "x.ipynb")
    assert alice.get("/records/link").status_code == 404
    assert alice.get("/records/real").status_code == 404
