"""Helps that edit: they are applied and checked before anybody reads them.

    rewrites   calls as other tools write them, and the same here
    proposals  edits for what people bring along, by where a diagnostic points
trial   applies a suggestion, has the file checked, and judges whether it helps
"""
