"""Diagnostics: what is found wrong in a spec, its settings or its data.

    diagnostic   one finding, with its labels and its fixes
    fixes        ways out that can be applied, as edits of the text
    report       what a stage has found, and ``SpecError``, which carries it
    render       a finding as text: for people, for lists, for tools, for GitHub
    catalogue    the page of every code, from the files in ``pages/``

Whoever finds something wrong needs this door alone.
"""

from .diagnostic import Diagnostic, Label, did_you_mean, listing, look
from .fixes import Edit, Fix, Suggestion
from .report import Report, SpecError, fail, make_error, render_report

__all__ = [
    "Diagnostic",
    "Edit",
    "Fix",
    "Label",
    "Report",
    "SpecError",
    "Suggestion",
    "did_you_mean",
    "fail",
    "listing",
    "look",
    "make_error",
    "render_report",
]
