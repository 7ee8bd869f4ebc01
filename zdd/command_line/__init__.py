"""The command line, ``python -m zdd``: a thin layer over the library for scripts that are not Python.

::

    exit_status   how each way to end is told to a shell
    parts         which deployer it works with
    wanted        what is to be deployed: a service by its options, or a stack of compose files
    changing      the commands that change something
    standby       the commands that put a release in reserve in the place of the one that serves
    orders        the commands that tell a running deployment what to do
    asking        the commands that only look
    doctor        looks at the whole chain for what would lose requests
    unnamed_edge  refuses what would lose requests because no edge was named
    vocabulary    what the library advises, in the words of the shell
    stopping      signals that end it
    parser        the words that it understands
    main          from words to an exit status

Results go to standard output, as text or with ``--json`` as one JSON value; progress goes to standard error.
"""
