"""Graph to graph: small passes, each a frozen dataclass whose fields are its options."""
