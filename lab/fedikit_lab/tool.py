"""Runs one command of the deployer, within a deadline, and says what went wrong."""

import subprocess

from fedikit.errors import DeadlineExceeded, FedikitError


def run_tool(*command: str, seconds: float = 30) -> str:
    """What the command prints; raises FedikitError with its last words when it fails."""
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise DeadlineExceeded(f"`{' '.join(command)}` to end", seconds) from error
    except subprocess.CalledProcessError as error:
        last = "\n".join((error.stderr or error.stdout or "").strip().splitlines()[-15:])
        raise FedikitError(f"`{' '.join(command)}` failed with status {error.returncode}: {last}") from error
    except OSError as error:
        raise FedikitError(f"`{command[0]}` could not be started: {error}") from error
    return answer.stdout
