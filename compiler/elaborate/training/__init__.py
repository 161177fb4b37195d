"""``train`` and ``search`` blocks: settings, sources, feeds, and the statements that train as graphs of steps."""
