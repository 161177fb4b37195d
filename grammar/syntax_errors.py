from .diagnostics import make_error
from .source import Span
def describe(error, span, layout, machine):
    return make_error('AX0101', str(error)[:300], Span(span.source, error.pos_in_stream or 0, (error.pos_in_stream or 0)+1))
