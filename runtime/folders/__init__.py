"""Run directories: what a training leaves behind, written whole or not at all, and opened again."""
