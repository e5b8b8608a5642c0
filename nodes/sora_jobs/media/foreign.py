"""What a file is that is no video which can be decoded: a picture, a text, an error message that was stored as one."""

from __future__ import annotations

from ..util.redact import redact

_PICTURE = "Load it with a node for images (Load Image), or convert it to MP4 or GIF: frames are taken from videos."
_PNG, _ANIMATION = b"\x89PNG\r\n\x1a\n", b"acTL"  # a chunk that only an animated PNG has, before its first pixels


def named(head: bytes) -> tuple[str, str]:
    """(what the file is that begins with these bytes, with the beginning of a text; what to do, if that is special)."""
    if picture := _picture(head):
        return picture, _PICTURE
    text = head.decode("utf-8", "ignore").strip("\ufeff \t\r\n")
    printable = sum(letter.isprintable() or letter.isspace() for letter in text)
    if len(text.encode()) < 0.9 * len(head.removeprefix(b"\xef\xbb\xbf").strip()) or printable < 0.95 * len(text):
        return f"no video: it begins with the bytes {head[:8].hex(' ')}", ""
    kind = {"{": "a JSON message", "[": "a JSON message", "<": "a web page or XML"}.get(text[:1], "text")
    shown = redact(" ".join(text.split()))
    return f"no video but {kind}: {shown[:160]}{'…' if len(shown) > 160 else ''}", ""


def _picture(head: bytes) -> str:
    """Which kind of picture that is; nothing where it is none."""
    if head.startswith(_PNG):
        animated = 0 <= head.find(_ANIMATION) < head.find(b"IDAT") % len(head)
        return "an animated PNG (APNG), which is a picture and no video" if animated else "a PNG picture, not a video"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        animated = head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)
        return "an animated WebP, which is a picture and no video" if animated else "a WebP picture, not a video"
    if head.startswith(b"\xff\xd8\xff"):
        return "a JPEG picture, not a video"
    return "an AVIF or HEIC picture, not a video" if head[4:8] == b"ftyp" else ""
