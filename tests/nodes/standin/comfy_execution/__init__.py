"""Stand-in for ComfyUI's package `comfy_execution`: what nodes/host/ uses of it."""
