"""Graphs on a device: sessions, and training steps over tensors that stay where they are."""
