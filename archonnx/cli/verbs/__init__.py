"""The verbs of the command line, a file each; a file that stands here with a ``@verb`` in it is one.

What a verb needs in order to work it imports inside its function: to read the command line, all files are imported, and
nobody should wait for libraries that another verb needs.
"""
