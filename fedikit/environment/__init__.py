"""The environment: a provider's hosts and policies, which turn an operator's configuration into a deployment."""

from fedikit.environment.environment import Environment
from fedikit.environment.load import check_configuration, load_catalogue, load_configuration, load_environment
from fedikit.environment.policies import Policies

__all__ = ["Environment", "Policies", "check_configuration", "load_catalogue", "load_configuration", "load_environment"]
