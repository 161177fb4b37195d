"""Speed and values beside the peers, facts of the catalogue, fuzzing, profiles, proofs of learning. Not installed."""
