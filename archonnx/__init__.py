"""The front door (placeholder until the API lands)."""
