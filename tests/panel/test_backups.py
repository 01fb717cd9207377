"""What a service's card says of its backups: what hosts said when they were asked last."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from fedikit.panel.pages.services import Services
from fedikit.panel.texts import Texts
from fedikit.results.backup import Backup, BackupHealth, Proven
from fedikit.results.status import HostStatus, Status

ENDED = datetime.now(UTC) - timedelta(hours=5)
NEWEST = Backup(id="20261127T023000Z-1a2b3c4d", started=ENDED, ended=ENDED, bytes=7_000_000)
FAILED = Proven(ended=ENDED, failed=True)


def card_of(folder: Path, language: str, *backups: BackupHealth) -> list[str]:
    record = folder / "20261127T080000Z-verify-abc123"
    record.mkdir()
    (record / "parameters.json").write_text("{}")
    status = Status(deployment="home", hosts={"one": HostStatus(host="one", backups=backups)})
    (record / "status.json").write_text(status.model_dump_json())
    page = SimpleNamespace(desk=SimpleNamespace(records=folder), text=Texts(language))
    return list(Services._backups(cast(Services, page), "mastodon"))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Newest backup: 5 hours ago, 7 MB.", "Its last proof, 5 hours ago, failed: do not rely on it."]),
        (
            "de",
            [
                "Neueste Sicherung: vor 5 Stunden, 7 MB.",
                "Die letzte Probe, vor 5 Stunden, ist misslungen: Verlassen Sie sich nicht darauf.",
            ],
        ),
    ],
)
def test_the_age_of_the_newest_backup_stands_on_the_card(tmp_path: Path, language: str, words: list[str]) -> None:
    other = BackupHealth(application="pixelfed", max_age_hours=26)
    kept = BackupHealth(application="mastodon", newest=NEWEST, max_age_hours=26, proof=FAILED)
    assert card_of(tmp_path, language, other, kept) == words


def test_that_there_is_none_yet_is_said(tmp_path: Path) -> None:
    assert card_of(tmp_path, "en", BackupHealth(application="mastodon", max_age_hours=26)) == [
        "There is no backup yet."
    ]


def test_without_backups_nothing_is_said(tmp_path: Path) -> None:
    assert card_of(tmp_path, "en") == []
