"""Pixels and sound: images on their way up, video frames and audio on their way down.

`reference` (image -> the pixels that are sent), `frames` (MP4 -> floats), `audio`, `sheet` (pictures for people).
OpenCV and PyAV are imported at first use.
"""
