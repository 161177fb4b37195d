"""Ops that run a graph again and again, their gradients, and what makes them fast.

``scanning`` says what a scan is; ``scan`` and ``loop`` are the ops; ``bodies`` cuts bodies out of a builder;
``gradient`` differentiates a scan; ``motion`` takes work out of it, by the rules of ``lifting``; ``trim`` leaves out
what nothing reads; ``unroll`` writes short ones out; ``recurrent`` is ONNX's own layers.
"""
