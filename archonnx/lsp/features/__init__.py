"""What an editor asks, a file each: pure functions of a document, which answer in the terms of the protocol."""
