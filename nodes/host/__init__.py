"""All that names ComfyUI or torch."""
