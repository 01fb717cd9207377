"""What streams an application's data from its host: it travels with the request, and nothing of it stays there.

Standard library only, and what it shares with the program of backups, which is brought along. Its modules:

    main       reads the request, and answers it
    wire       what goes back: frames, so that an end that was cut off is never taken for one
    postgresql, mariadb    databases, as their own tools dump them
    files      a directory as a tar archive
    objects    a bucket's objects with what is known of them
    commands   running the tools
"""
