"""The typed intermediate representation: dims, types, graphs, builder, verifier, text."""
