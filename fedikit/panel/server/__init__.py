"""The panel's server: Voilà's page and widgets behind a door of our own. Needs the extra `fedikit[panel]`.

    files         the panel's own files: for its user only, replaced whole
    premises      `panel.toml` as it is now, and where the server keeps what it must remember
    passwords     argon2id hashes, and which passwords will not do
    sessions      who is signed in, in a file that outlives the server
    throttle      how long who guesses has to wait
    factor        the second factor: codes of an app, and recovery codes
    door          whether a name, a password and a code let somebody in

    guard         what holds for every answer: headers, names, the session, no forged forms
    pages         what is written, in the visitor's language
    signing       signing in and out
    kernels       the kernels: started ahead, each its operator's, ended when nobody looks
    notebook      the notebook that is served, with the operator's parameters put in
    panel         the panel's page
    channels      the socket between a page and its kernel
    records       the record of a run, as a page without scripts
    assets        the files that pages need: a closed list

    application   the closed list of what is answered at all
    caddy         HTTPS in front of it
    serve         all of it, from start to end

Rule: who is not signed in gets the sign-in page, its style and its icon, and nothing else.
"""
