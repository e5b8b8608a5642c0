"""The engine: buys videos from a gateway that speaks `/v1/videos`, once each, and never loses them.

It imports neither ComfyUI nor torch. `Engine` (engine.py) is the way in; the command line is sora.py in the pack's
folder, or `sora` where the package is installed.
"""

__version__ = "0.1.0"
