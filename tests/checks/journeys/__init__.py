"""What people do with the applications, step by step, in a real browser: one page object for each application.

The selectors are upstream's: the same journeys meet the real applications and what stands in for them in the lab.
"""

from tests.checks.journeys.browser import Browser
from tests.checks.journeys.mastodon import Mastodon
from tests.checks.journeys.panel import Panel
from tests.checks.journeys.peertube import PeerTube
from tests.checks.journeys.pixelfed import Pixelfed

__all__ = ["Browser", "Mastodon", "Panel", "PeerTube", "Pixelfed"]
