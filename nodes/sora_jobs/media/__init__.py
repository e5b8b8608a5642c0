"""Pixels and sound: images on their way up, video frames and audio on their way down.

`reference` (image -> the pixels that are sent), `delivered` (is a download a video?), `frames` (video -> floats),
`audio`, `sheet` (pictures for people). Each of their functions raises errors of the tree and no others.
OpenCV and PyAV are imported at first use.
"""
