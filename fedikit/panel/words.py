"""Plans, verdicts and runs in plain words, for people who know their services and not their machines."""

from fedikit.panel.amounts import about, age, duration, moment, size
from fedikit.panel.plan_words import PlanInWords, plan_in_words
from fedikit.panel.run_words import RunInWords, run_in_words, step_in_words
from fedikit.panel.said import said, told
from fedikit.panel.verdict_words import ApplicationInWords, Problem, VerdictInWords, verdict_in_words

__all__ = [
    "ApplicationInWords",
    "PlanInWords",
    "Problem",
    "RunInWords",
    "VerdictInWords",
    "about",
    "age",
    "duration",
    "moment",
    "plan_in_words",
    "run_in_words",
    "said",
    "size",
    "step_in_words",
    "told",
    "verdict_in_words",
]
