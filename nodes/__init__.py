"""ComfyUI's side of the pack; no imports here, so that `python -m nodes.sora` runs without ComfyUI."""
