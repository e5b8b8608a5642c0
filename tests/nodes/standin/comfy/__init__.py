"""Stand-in for ComfyUI's package `comfy`: what nodes/host.py uses of it."""
