"""The panel: how operators run their services, in JupyterLab and, served to them, in a browser.

    operators   the provider's file `panel.toml`: who may do what
    texts       what the panel says, in the operator's language
    outline     a form's tree of groups and fields, from a JSON Schema
    fields      what each field shows of a document, and what it makes of what was entered
    controls    the fields as ipywidgets
    notes       what stands under them
    form        the form in which an operator chooses

Rule: nothing works in a callback. What changes hosts is a run of a runbook, in a process of its own.
"""
