"""Stand-in for ComfyUI's package `comfy`: what nodes/host/ uses of it."""
