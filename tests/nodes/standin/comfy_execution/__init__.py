"""Stand-in for ComfyUI's package `comfy_execution`: what nodes/host.py and nodes/values.py use of it."""
