"""Whether a name, a password and a code let somebody in. What is wrong is told to nobody."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fedikit.errors import visible
from fedikit.panel.server.passwords import NOBODYS, is_right
from fedikit.panel.server.premises import Premises

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Claim:
    """What somebody says at the door; `device` is the token of a browser that this name has signed in with before."""

    name: str
    password: str
    code: str
    address: str
    device: str = ""


class MustWait(Exception):
    """Too many tries; the try was not looked at."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.0f} s")
        self.seconds = seconds


class Door:
    """Checks claims, one after the other: a hash takes 50 ms of a core, and 64 MB."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._work = ThreadPoolExecutor(1)

    async def lets_in(self, claim: Claim) -> bool:
        """Whether the claim is true. Raises MustWait."""
        throttle = self._premises.throttle
        own = throttle.device(claim.device) if claim.device else throttle.name(claim.name)
        keys = [own] if claim.device else [own, throttle.address(claim.address)]
        if wait := throttle.attempt(keys):
            raise MustWait(wait)
        loop = asyncio.get_running_loop()
        is_true = await loop.run_in_executor(self._work, self._is_true, claim)
        if is_true:
            throttle.take_back(keys)
            throttle.forgive([own])
        known = claim.name if self._premises.operator(claim.name) else "an unknown name"
        _LOG.info("%s %s from %s", "signed in:" if is_true else "refused:", known, visible(claim.address))
        return is_true

    def _is_true(self, claim: Claim) -> bool:
        operator = self._premises.operator(claim.name)
        is_password = is_right(claim.password, operator.password if operator else NOBODYS)
        return operator is not None and is_password and self._premises.factor.accepts(claim.name, claim.code)
