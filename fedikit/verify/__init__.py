"""Verifying: the running services are looked at from outside, as their users would, and a verdict is given."""

from fedikit.results.check import CheckResult
from fedikit.results.verdict import Verdict
from fedikit.verify.deployment import verify_deployment, verify_rollback
from fedikit.verify.means import Shell, Stand
from fedikit.verify.run import verify

__all__ = ["CheckResult", "Shell", "Stand", "Verdict", "verify", "verify_deployment", "verify_rollback"]
