"""The language server: what an editor asks of a spec while somebody types.

    positions     offsets of a text, and the lines and UTF-16 units of an editor
    mentions      the names in a statement, and what each is there
    pieces        a text in statements, each read by itself: what is half typed spoils nothing else
    names         which of them mean the same: definitions and references of a file
    library       what is known of the library's names: their signatures, their words, where they stand
    checking      what ``archonnx check`` finds, with the value of every expression; it can be stopped
    document      a text with all of that, brought up to date as it changes
    context       where in a statement somebody is typing; yaml_place the same in YAML; calls as which argument
    columns       the columns of a data source
    features/     an answer to each question of an editor: pure functions of a document
    background    checks when the typing pauses, in a thread of its own
    server        the loop: it asks the features, and has what changes checked

A module imports those above it. Importing this package imports pygls, which is an extra.
"""
