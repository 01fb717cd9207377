"""The agent: runs on the host, on the host's own python3. Standard library only; imports nothing else of ours.

It observes, compares, changes and reports. The deployer sends it over the connection; a host that has been
changed before keeps it, by its hash.

    main       claims the channel, reads the request, and has it served
    answer     what is asked, and what is answered: what would change
    at_once    what is no plan: status, facts, notes
    order      an order: the lock, what comes with it, a session of its own; applying and upgrade_order carry it out
    channel    messages and blobs in, JSON lines out
    walk       the way down to a path, by descriptors, past no link that others than root could have made
    files      files and directories, held open and read in pieces
    edits      changing what is in a directory that is held
    sight      what lies on the disk, and whose it is
    eyes       looks at the host, by way of these; has no way to change it
    hands      eyes that can also change the host
    command    commands of the host, to their end or their deadline; child waits for one
    systemd    units started and stopped, each in its own time; settling waits until they run, or have failed
    manager    systemd by its own socket, where it has one; dbus is the way there, and wire what goes over it
    change     what is asked for, and what would change: plain values
    compare    what would change: gets eyes only
    converge   makes it so: gets hands; batch is what it works on
    leaving    what becomes of what is wanted no more; parting lets packages go
    ledger     what fedikit owns here: entries, generations, the lock
    blobs      the host's store of file contents, by SHA-256
    kinds      the closed set of item kinds, one module each, with all that is special about it; the generic code asks
               no item what kind it is
    servers    who else is served by what comes with packages of ours
    s3         empties a bucket, with requests that `signature` signs

Items arrive as plain dictionaries, encoded by `fedikit.remote.payload` from `fedikit.model.item`.
"""
