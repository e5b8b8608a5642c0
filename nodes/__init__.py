"""ComfyUI's side of the pack; no imports here, so that `python -m nodes.sora_jobs` runs without ComfyUI."""
