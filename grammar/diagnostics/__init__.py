"""Diagnostics: plain data (``report``), their renderings (``render``), and the codes with their pages (``catalogue``).

Whoever finds something wrong needs this door alone.
"""

from .report import Diagnostic, Label, Report, SpecError, Suggestion, did_you_mean, fail, make_error

__all__ = ["Diagnostic", "Label", "Report", "SpecError", "Suggestion", "did_you_mean", "fail", "make_error"]
