"""Pixels and sound: images on their way up, video frames and audio on their way down."""
