"""A page's kernel, at a real server: whose it is, and what reaches it."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import websocket

from tests.panel.serving import CELLS, Page, Server, message, serving, wait_for, write_panel

SPY = (
    CELLS
    + """
def spied(comm, opening):
    from pathlib import Path
    Path(opening["content"]["data"]["file"]).write_text(str(len(opening["content"]["data"].get("more", ""))))
get_ipython().kernel.comm_manager.register_target("spy", spied)
"""
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("panel"), cells=SPY) as server:
        yield server


@pytest.fixture
def page(server: Server) -> Iterator[Page]:
    """A page of Alice's, which she leaves in the end."""
    page = server.signed_in("alice").open_panel()
    yield page
    page.visitor.post(f"/api/kernels/{page.kernel}/end")


def comm_open(file: Path, more: str = "") -> bytes:
    content = {"comm_id": file.name, "target_name": "spy", "data": {"file": str(file), "more": more}}
    return message("comm_open", content)


def is_closed(connection: websocket.WebSocket) -> bool:
    """Whether the server closes the socket within its time-out; what it says before is read."""
    connection.settimeout(5)
    try:
        while connection.recv_data()[0] != websocket.ABNF.OPCODE_CLOSE:
            pass
    except websocket.WebSocketTimeoutException:
        return False
    except (OSError, websocket.WebSocketConnectionClosedException):
        pass
    return True


def test_a_widgets_message_reaches_the_kernel_even_a_large_one(page: Page, tmp_path: Path) -> None:
    connection = page.connect()
    connection.send_binary(comm_open(tmp_path / "large", "x" * 1_500_000))
    wait_for((tmp_path / "large").exists, "the message")
    connection.close()
    assert (tmp_path / "large").read_text() == "1500000"


@pytest.mark.parametrize("kind", ["execute_request", "shutdown_request", "debug_request", "input_reply"])
def test_code_never_reaches_the_kernel(page: Page, tmp_path: Path, kind: str) -> None:
    code = f"open({str(tmp_path / 'executed')!r}, 'w')"
    for channel in ("shell", "control", "stdin", "iopub"):
        connection = page.connect()
        connection.send_binary(message(kind, {"code": code, "silent": False, "restart": False}, channel))
        assert is_closed(connection)
    again = page.connect()
    again.send_binary(comm_open(tmp_path / "after"))
    wait_for((tmp_path / "after").exists, "a message after it")
    assert not (tmp_path / "executed").exists()


def test_a_kind_that_is_said_twice_is_no_way_round(page: Page, tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'executed')!r}, 'w')"
    good = message("comm_open", {"code": code, "comm_id": "x", "target_name": "spy", "data": {}})
    twice = good.replace(b'"msg_type": "comm_open"', b'"msg_type":"comm_open","msg_type":"execute_request"')
    start = len(twice) - len(good)
    count = int.from_bytes(twice[:8], "little")
    offsets = [int.from_bytes(twice[8 * i : 8 * i + 8], "little") for i in range(1, count + 1)]
    moved = [offset if index < 2 else offset + start for index, offset in enumerate(offsets)]
    head = b"".join(number.to_bytes(8, "little") for number in (count, *moved))
    connection = page.connect()
    connection.send_binary(head + twice[len(head) :])
    assert is_closed(connection)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "nonsense",
    [b"", b"\xff" * 8, (2**62).to_bytes(8, "little") * 9, b"\0" * 64, (3).to_bytes(8, "little") + b"\xff" * 24],
    ids=["nothing", "many", "far", "zeroes", "beyond"],
)
def test_nonsense_closes_the_socket_and_harms_nobody(page: Page, nonsense: bytes) -> None:
    connection = page.connect()
    connection.send_binary(nonsense)
    assert is_closed(connection)
    text = page.connect()
    text.send('{"header": {"msg_type": "comm_msg"}, "channel": "shell"}')
    assert is_closed(text)
    assert page.visitor.get(f"/api/kernels/{page.kernel}").status_code == 200


def test_what_is_larger_than_ten_megabytes_closes_the_socket(page: Page, tmp_path: Path) -> None:
    connection = page.connect()
    with suppress(OSError):  # it may be closed before all of it was sent
        connection.send_binary(comm_open(tmp_path / "huge", "x" * 11_000_000))
    assert is_closed(connection)
    assert not (tmp_path / "huge").exists()


def test_another_operators_kernel_is_not_there(server: Server, page: Page) -> None:
    bob = server.signed_in("bob")
    bob.open_panel()
    assert bob.get(f"/api/kernels/{page.kernel}").status_code == 404
    assert bob.post(f"/api/kernels/{page.kernel}/end").status_code == 404
    for method in ("DELETE", "PUT", "PATCH"):
        headers = {"X-XSRFToken": bob.token()}
        assert bob.client.request(method, f"/api/kernels/{page.kernel}", headers=headers).status_code in (404, 405)
    with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
        page.connect(bob)
    assert page.visitor.get(f"/api/kernels/{page.kernel}").status_code == 200


@pytest.mark.parametrize(
    "options", [{"origin": "https://evil.example"}, {"suppress_origin": True}, {"subprotocols": []}]
)
def test_a_socket_is_opened_by_our_own_page_only(page: Page, options: dict[str, object]) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        page.connect(**options)


def test_a_socket_is_opened_for_who_is_signed_in_and_under_our_name_only(server: Server, page: Page) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        page.connect(server.visitor())
    with pytest.raises(websocket.WebSocketBadStatusException, match="421"):
        page.connect(host="evil.example")
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        page.connect(origin=server.url.replace("http", "https"))


def test_the_socket_of_a_session_that_ended_is_closed_within_seconds(page: Page) -> None:
    connection = page.connect()
    page.visitor.post("/logout")
    start = time.monotonic()
    assert is_closed(connection)
    assert time.monotonic() - start < 3


def test_the_socket_of_an_operator_who_was_removed_is_closed_within_seconds(server: Server) -> None:
    page = server.signed_in("bob").open_panel()
    connection = page.connect()
    write_panel(server.folder, operators=("alice",))
    start = time.monotonic()
    assert is_closed(connection)
    assert time.monotonic() - start < 3
    write_panel(server.folder)


def test_a_page_that_is_left_ends_its_kernel(server: Server) -> None:
    visitor = server.signed_in("bob")
    page = visitor.open_panel()
    assert visitor.client.post(f"/api/kernels/{page.kernel}/end").status_code == 403
    assert visitor.post(f"/api/kernels/{page.kernel}/end").status_code == 204
    assert visitor.get(f"/api/kernels/{page.kernel}").status_code == 404


def test_a_sixth_page_ends_the_first(server: Server) -> None:
    visitor = server.signed_in("bob")
    pages = [visitor.open_panel() for _ in range(6)]
    states = [visitor.get(f"/api/kernels/{page.kernel}").status_code for page in pages]
    assert states == [404, *[200] * 5]
    for page in pages:
        visitor.post(f"/api/kernels/{page.kernel}/end")
    wait_for(lambda: len(server.kernels()) <= 2, "the kernels' end")


def test_a_browser_does_not_choose_whose_panel_it_is(server: Server) -> None:
    visitor = server.signed_in("bob")
    answer = visitor.get(
        "/?operator=alice&configuration=/etc/passwd&template=x&theme=y",
        headers={"X-Forwarded-User": "alice", "Remote-User": "alice", "X-Forwarded-For": "192.0.2.1"},
    )
    assert f"bob en {server.folder}/bob.json" in answer.text


def test_a_kernel_that_died_is_told_as_gone(page: Page) -> None:
    found = re.search(r"panel\.toml (\d+)", page.html)
    assert found
    os.kill(int(found[1]), 9)
    wait_for(lambda: page.visitor.get(f"/api/kernels/{page.kernel}").status_code == 404, "the kernel's end", 5)


def test_a_notebook_that_fails_is_told_without_its_reasons(tmp_path: Path) -> None:
    with serving(tmp_path, cells="raise ValueError('sesame-17')") as server:
        answer: httpx.Response = server.signed_in().get("/")
        assert "fk-failed" in answer.text
        assert "sesame-17" not in answer.text
        assert "sesame-17" in server.log
