"""Models as ONNX files: written, and used without their spec."""
