"""The agent: runs on the host, on the host's own python3. Standard library only; imports nothing else of ours.

It observes, compares, changes and reports. The deployer sends it over the connection; a host that has been
changed before keeps it, by its hash.

    main       claims the channel, reads the request, answers
    channel    messages and blobs in, JSON lines out
    walk       the way down to a path, by descriptors, past no link that others than root could have made
    files      files and directories, held open and read in pieces
    edits      changing what is in a directory that is held
    sight      what lies on the disk, and whose it is
    eyes       looks at the host, by way of these; has no way to change it
    hands      eyes that can also change the host
    command    commands of the host, to their end or their deadline
    boot_places  what packages have made at each boot
    systemd    units started and stopped, each in its own time
    compare    what would change: gets eyes only
    converge   makes it so: gets hands
    ledger     what fedikit owns here: entries, generations, the lock
    blobs      the host's store of file contents, by SHA-256
    s3         empties a bucket, with requests that `signature` signs
    kinds      the closed set of item kinds; package, file, user, unit and job hold one each

Items arrive as plain dictionaries, encoded by `fedikit.remote.payload` from `fedikit.model.item`.
"""
