"""Plans, verdicts and runs in plain words, for people who know their services and not their machines."""

from fedikit.panel.plan_words import PlanInWords, plan_in_words

__all__ = ["PlanInWords", "plan_in_words"]
