"""Stand-in for ComfyUI's package `comfy_api`: what the nodes use of it."""
