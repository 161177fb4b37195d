"""Speed beside the peers (``python -m benchmarks``), profiles, and the long proofs of learning. Not installed."""
