"""Stand-in for ComfyUI's package `comfy`: what nodes/host.py and nodes/values.py use of it."""
