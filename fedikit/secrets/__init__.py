"""Secrets: derived from one master key, given, or brought along from another provider. No other room ever keeps one.

master     the key itself: read from where the environment says
forms      how derived bytes are spelt, as each software wants them
vault      hands secrets out
own        which a deployment uses, and which of them an application brings along
recipient  the key pair of an environment, to which others seal secrets
sealing    the file in which they travel
sealed     the files that an environment names
"""

from fedikit.secrets.master import MasterKey, new_key
from fedikit.secrets.own import secrets_of
from fedikit.secrets.vault import Vault

__all__ = ["MasterKey", "Vault", "new_key", "secrets_of"]
