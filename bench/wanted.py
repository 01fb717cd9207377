"""What every tool is told to bring about on each machine: 29 items. Plain data, read by all of them."""

PACKAGES = ("bc", "figlet", "hello", "less", "tree")
SERVICES = ("bench-1.service", "bench-2.service", "bench-3.service")
USER = "bench"
CONFIGURATION_FILES = 17
CONFIGURATION_LINES = 20


def unit_file(name: str) -> str:
    """A service that starts at once and does nothing."""
    return (
        f"[Unit]\nDescription={name}\n\n[Service]\nExecStart=/usr/bin/sleep infinity\n\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )


def configuration_file(number: int) -> str:
    """Half a kilobyte of settings, other ones in each file."""
    return "".join(f"setting_{number}_{line} = value {number * line}\n" for line in range(CONFIGURATION_LINES))


def files() -> dict[str, str]:
    """The text of each file by its path: the services' units, and configuration."""
    units = {f"/etc/systemd/system/{name}": unit_file(name) for name in SERVICES}
    return units | {f"/etc/bench-{number}.conf": configuration_file(number) for number in range(CONFIGURATION_FILES)}


def count() -> int:
    """How many items that is."""
    return len(PACKAGES) + len(files()) + len(SERVICES) + len([USER])
