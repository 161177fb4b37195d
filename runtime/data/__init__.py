"""From a source to batches: files and generators read into fields, examples shared out, arrays checked and cut."""
