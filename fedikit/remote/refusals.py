"""Why an SSH server did not let us in: what the libraries raise, in our words.

Told apart by their kinds, and by the stage that a connection had come to; never by text.
"""

import contextlib
from collections.abc import Callable, Iterator

import paramiko

from fedikit.errors import ConnectionFailed, HostKeyRefused
from fedikit.remote.leg import Leg
from fedikit.remote.ssh_transport import SecondFactorWanted, Transport

_PROHIBITED = 1
"""SSH's number for a channel that the server does not allow; others mean that it tried."""
_OLD = "a server with other algorithms is very old, or hardened beyond what Paramiko knows: see its sshd_config"
_LOG = "see its SSH server's log: journalctl --unit ssh"


@contextlib.contextmanager
def translated(leg: Leg, transport: Callable[[], paramiko.Transport | None]) -> Iterator[None]:
    """Turns what the SSH libraries raise into our errors; `transport` gives what there is of a connection by then."""
    try:
        yield
    except ConnectionFailed:
        raise
    except paramiko.BadHostKeyException as error:
        raise HostKeyRefused(
            leg.host,
            f"{leg.title} shows another host key than is expected: {error.key.get_name()} {error.key.fingerprint}",
            hint="if the machine was installed anew, put its new key into the environment; else somebody is in between",
        ) from error
    except paramiko.ChannelException as error:
        raise _not_led_on(leg, error) from error
    except (OSError, EOFError, paramiko.SSHException) as error:
        made = transport()
        told = explain(leg, made, error) if isinstance(made, Transport) else leg.unreachable(error)
        raise told from error


def _not_led_on(leg: Leg, error: paramiko.ChannelException) -> ConnectionFailed:
    """A channel was refused: the one through the jump host before this leg, or the one to work in."""
    before = leg.before
    if before is None:
        return leg.fails(f"lets us in, but opens no session for us: {error.text}", hint=_LOG)
    if error.code == _PROHIBITED:
        hint = "its sshd_config must let TCP connections through for that user: AllowTcpForwarding, PermitOpen"
        return before.fails(f"leads nobody on to {leg.server.where}: {error.text}", hint=hint)
    hint = "seen from the jump host: is that machine up, its address right, and its port open?"
    return before.fails(f"cannot reach {leg.server.where}: {error.text}", hint=hint)


def explain(leg: Leg, transport: Transport, error: Exception) -> ConnectionFailed:
    """Why nothing came of a connection that there was, by the stage that it had come to."""
    if isinstance(error, paramiko.AuthenticationException):
        return _not_let_in(leg, transport, error)
    if found := transport.nothing_in_common():
        kind, ours, theirs = found
        lists = f"it offers {', '.join(theirs)}; we know {', '.join(ours)}"
        return leg.fails(f"has no algorithm in common with us for {kind}: {lists}", hint=_OLD)
    if transport.is_authenticated():
        return _broken_after_login(leg, error)
    if not transport.initial_kex_done:
        return _no_server(leg, transport, error)
    if transport.tries == 0 and transport.is_active():
        hint = f"name one: {leg.key('identity_file')}; or let the SSH agent hold one: ssh-add"
        return leg.fails("takes keys, and there is none: neither the SSH agent nor ~/.ssh has one", hint=hint)
    return _not_let_in(leg, transport, error)


def _broken_after_login(leg: Leg, error: Exception) -> ConnectionFailed:
    if isinstance(error, TimeoutError):
        hint = f"if its login is that slow, give it more time: {leg.key('login_seconds')}"
        return leg.fails(f"let us in, but opened no session within {leg.server.login_seconds} s", hint=hint)
    return leg.fails(f"let us in, but broke the connection off: {error or 'it was closed'}", hint=_LOG)


def _no_server(leg: Leg, transport: Transport, error: Exception) -> ConnectionFailed:
    if isinstance(error, ConnectionError | EOFError) or transport.farewell:
        words = OSError(transport.farewell) if transport.farewell else error
        return leg.unreachable(words)
    if transport.remote_version:
        return leg.fails(f"cannot be reached: it agrees on no keys with us: {error}", hint=_LOG)
    seconds = f"within {leg.server.connect_seconds} s"
    return leg.fails(
        f"cannot be reached: what answers there did not say {seconds} that it is an SSH server",
        hint=f"see {leg.key('port')}; if it is that slow, give it more time: {leg.key('connect_seconds')}",
    )


def _not_let_in(leg: Leg, transport: Transport, error: Exception) -> ConnectionFailed:
    words = f"; it says: {transport.last_words}" if transport.last_words else ""
    reason, hint = _reason(leg, transport, error)
    return leg.fails(f"does not let us in: {reason}{words}", hint=hint)


def _reason(leg: Leg, transport: Transport, error: Exception) -> tuple[str, str]:
    match error:
        case SecondFactorWanted():
            hint = "let this user in by the key alone: AuthenticationMethods in its sshd_config"
            return f"it took the key, and wants more: {error}", hint
        case paramiko.PasswordRequiredException():
            return "the only key there is has a passphrase", "let the SSH agent hold it: ssh-add"
        case TimeoutError():
            hint = f"if it is that slow, give it more time: {leg.key('login_seconds')}"
            return f"it did not say so within {leg.server.login_seconds} s", hint
        case paramiko.BadAuthenticationType():
            hint = "let this user log in by key: PubkeyAuthentication and AuthenticationMethods in its sshd_config"
            return f"it takes no keys, but {', '.join(error.allowed_types)}", hint
    if not transport.is_active():
        return "it ended the connection", _why_it_ended(leg, transport)
    return "it does not take the key", "is the deployer's public key among its authorized_keys?"


def _why_it_ended(leg: Leg, transport: Transport) -> str:
    if transport.tries > 1 and not leg.server.identity_file:
        key = leg.key("identity_file")
        return f"{transport.tries} keys were offered: name the one that it takes, then only that is: {key}"
    return _LOG
