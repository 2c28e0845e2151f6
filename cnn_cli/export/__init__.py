"""Trained networks for other programs: ONNX files with their preprocessing, and C for microcontrollers."""
