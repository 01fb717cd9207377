"""Secrets: derived from one master key, or given by the operator. No other room ever keeps one.

master   the key itself: read from where the environment says
forms    how derived bytes are spelt, as each software wants them
vault    hands secrets out
"""

from fedikit.secrets.master import MasterKey, new_key
from fedikit.secrets.vault import Vault, secrets_of

__all__ = ["MasterKey", "Vault", "new_key", "secrets_of"]
