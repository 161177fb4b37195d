"""Helps that edit: they are applied and checked before anybody reads them.

trial   applies a suggestion, has the file checked, and judges whether it helps
"""
