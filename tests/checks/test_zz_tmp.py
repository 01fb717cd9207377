import json
from collections.abc import Iterator
from pathlib import Path
import pytest
from fedikit_lab import Lab
from tests.checks import test_services as ts
from tests.checks.journeys import Browser, Pixelfed
from tests.checks.pictures import picture
pytestmark = pytest.mark.lab
ts.TARGETS = ("garage", "pixelfed")
ts.CONFIGURATION = {"domain": ts.DOMAIN, "initialUser": ts.CONFIGURATION["initialUser"], "pixelfed": {"enable": True}}

@pytest.fixture(scope="module")
def services(tmp_path_factory) -> Iterator[ts.Services]:
    with Lab(tmp_path_factory.mktemp("services"), machines=ts.TARGETS, client=True) as lab:
        yield ts.Services(lab)

@pytest.fixture
def browser(services, tmp_path) -> Iterator[Browser]:
    with services.lab.client.session(trust=services.lab.acme_root()) as driver:
        yield Browser(driver, tmp_path / "pictures")

def test_all(services, browser, tmp_path):
    out = services.succeed("apply", "--yes")
    print(out)
    m = services.lab["pixelfed"]
    print(m.succeed("systemctl is-active pixelfed-web pixelfed-worker pixelfed-scheduler"))
    print(m.succeed("ss -ltnp"))
    print(m.succeed("find /srv/pixelfed-storage | head -40; ls -ln /srv/pixelfed-storage"))
    print(services.unmet())
    assert services.planned() == {}
    px = Pixelfed(browser, f"https://pixelfed.{ts.DOMAIN}")
    media = f"https://media.pixelfed.{ts.DOMAIN}/"
    f = tmp_path / "p.png"; f.write_bytes(picture())
    assert px.is_refused(ts.EMAIL, "not the password")
    px.sign_in(ts.EMAIL, services.password("pixelfed"))
    assert px.publish_picture(f, "A day at the sea", media=media).startswith(media)
    services.wants(pixelfed={"title": "Ours", "rules": ["Be kind."], "mediaTypes": ["image/png"]})
    print(services.succeed("apply", "--yes"))
    told = json.loads(m.succeed(f"curl -s -H 'Host: pixelfed.{ts.DOMAIN}' http://127.0.0.1:8080/api/v1/instance"))
    assert (told["title"], told["rules"]) == ("Ours", [{"id": "1", "text": "Be kind."}])
    services.rotate("pixelfed/initial-user")
    print(services.succeed("apply", "--yes"))
    assert services.unmet() == {}
    print(m.succeed("journalctl -u pixelfed-web --no-pager | tail -20"))
