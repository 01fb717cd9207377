"""The panel: how operators run their services, in JupyterLab and, served to them, in a browser.

    operators   the provider's file `panel.toml`: who may do what
    desk        an operator's files, drafts, records and rights
    order       what somebody wants done, as a value
    runner      does it, in a process of its own that outlives the page
    outline     the groups and fields of a form, from a JSON Schema
    fields      what a document says in each field, and back
    form        the form, made of widgets; `controls` and `notes` are its parts
    words       plans, verdicts and runs in plain words
    page        the panel as one widget; its `pages`, and the `widgets` that these are made of
    texts       what the panel says, in the operator's language
    server      serves it by Voilà: signing in, kernels, records
    cli         `fedikit panel …`

Rule: nothing works in a callback. What changes hosts is a run of a runbook, in a process of its own.
"""
