"""The panel: how operators run their services, in JupyterLab and, served to them, in a browser.

    operators   the provider's file `panel.toml`: who may do what
    texts       what the panel says, in the operator's language
    words       plans, verdicts and runs in plain words; so are times and sizes

Rule: nothing works in a callback. What changes hosts is a run of a runbook, in a process of its own.
"""
