"""Moving to another provider from the panel: looked at, rehearsed, moved and come back; the machines are directories."""

from datetime import UTC, datetime

import pytest

from tests.panel.moving_scene import DOMAIN, Moving
from tests.panel.scene import Provider
from tests.panel.test_page import Visitor, visit


@pytest.fixture
def moving(provider: Provider) -> Moving:
    return Moving(provider)


def upload(visitor: Visitor, content: bytes) -> None:
    """As a browser hands a file over."""
    (button,) = visitor.find("fk-upload")
    about = {"name": "new", "type": "", "size": len(content), "last_modified": datetime.now(UTC)}
    button.value = ({**about, "content": memoryview(content)},)


async def have_it_done(visitor: Visitor, *, typed: str = DOMAIN) -> None:
    await visitor.finds("fk-do")
    if boxes := visitor.find("fk-typed"):
        boxes[0].value = typed
    visitor.click("fk-do")
    await visitor.ends()
    visitor.click("fk-to-away")


def test_everything_is_brought_rehearsed_moved_and_comes_back(moving: Moving) -> None:
    async def act(visitor: Visitor) -> None:
        visitor.click("fk-tab-away")
        upload(visitor, moving.invitation)
        assert "You brought the file of harbour." in visitor.text()
        moving.furnish()
        visitor.click("fk-rehearse")
        await have_it_done(visitor)
        assert "The rehearsal went well. Nobody could write for about" in visitor.text()
        assert moving.serves(moving.old)
        assert not moving.serves(moving.new)
        visitor.click("fk-move")
        await visitor.finds("fk-do")
        assert "letters goes from alice (alice) to quay (harbour), with 1 file and 1 kB." in visitor.text()
        (deed,) = visitor.find("fk-do")
        assert deed.disabled
        await have_it_done(visitor)
        assert "Your services are with harbour now." in visitor.text()
        assert "letters is on quay." in visitor.text()
        assert not moving.serves(moving.old)
        assert moving.serves(moving.new)
        moving.place(moving.new).write_text("words of the other side")
        visitor.click("fk-back")
        await have_it_done(visitor)
        assert moving.serves(moving.old)
        assert moving.place(moving.old).read_text() == "words of the other side"
        assert "Your services are here." in visitor.text()

    visit(moving.provider, "alice", act)
