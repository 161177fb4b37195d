def render(d, **k): return f"{d.code} {d.headline} {d.span}"
