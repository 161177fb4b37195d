"""What the rest of elaboration stands on: values, frames, static arithmetic, signatures."""
