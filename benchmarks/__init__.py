"""Speed and values beside the peers, facts of the catalogue, oracles, fuzzing, profiles, proofs of learning. Not installed."""
