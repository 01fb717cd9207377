"""Verifying: the running services are looked at from outside, as their users would, and a verdict is given."""

from fedikit.verify.attempt import Shell
from fedikit.verify.deployment import verify_deployment
from fedikit.verify.run import verify
from fedikit.verify.verdict import CheckResult, Verdict

__all__ = ["CheckResult", "Shell", "Verdict", "verify", "verify_deployment"]
