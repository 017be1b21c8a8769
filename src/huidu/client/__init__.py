"""What a Python program imports to use a Huidu service: the streaming client."""

from huidu.client.stream import Final, Partial, Stream, StreamError

__all__ = ["Final", "Partial", "Stream", "StreamError"]
