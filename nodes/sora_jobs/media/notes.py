"""What the user should know of the frames of a file that is not quite as it should be."""

from __future__ import annotations

from .selection import FrameChoice, Plan, shown_size
from .source import Source, VideoInfo


def warnings_of(source: Source, made: Plan, filled: int, choice: FrameChoice | None = None) -> tuple[str, ...]:
    """Sentences on a file of which `filled` frames of the plan could be had; with the `choice` also on their shape."""
    info = source.info
    sentences = [_damage(source, made, filled)]
    if info.headless:
        sentences.append(
            f"{source.path.name} begins in the middle of a video, or is damaged: {info.headless} of its "
            f"{info.headless + info.frames} frames, at its beginning, cannot be decoded. Frame 0 is the first of the "
            f"{info.frames} that can."
        )
    if choice is not None and not choice.square_pixels:
        sentences.append(_shape(source.path.name, info))
    return tuple(sentence for sentence in sentences if sentence)


def _damage(source: Source, made: Plan, filled: int) -> str:
    info, missing = source.info, len(made.indices) - filled
    holds = info.frames
    if missing:
        holds = int(made.indices[filled - 1]) + 1
        holds -= sum(number < holds for number in source.lost)
    if info.cut_short:
        name = f"{source.path.name} is cut short or damaged"
        if not info.declared_frames:
            return f"{name}: it is longer by its own account, and holds only {holds} frames that can be decoded."
        if holds >= info.declared_frames:
            return f"{name}: all of its {holds} frames are there; what is missing lies elsewhere, such as its sound."
        return f"{name}: it declares {info.declared_frames} frames and holds only {holds} that can be decoded."
    if info.hidden and not missing:
        return (
            f"{source.path.name} holds {info.declared_frames} frames and shows {info.frames}: "
            f"its edit list, or damage, hides {info.hidden} of them."
        )
    if missing:
        return f"{source.path.name} should have {info.frames} frames and holds only {holds} that can be decoded."
    return ""


def _shape(name: str, info: VideoInfo) -> str:
    if info.pixel_aspect == 1:
        return ""
    width, height = shown_size(info.width, info.height, info.pixel_aspect)
    return (
        f"{name} is anamorphic: its frames have {info.width}x{info.height} pixels and are shown as {width}x{height}. "
        "To get them in that shape, turn on square_pixels (in a shell: sora frames --square-pixels)."
    )
