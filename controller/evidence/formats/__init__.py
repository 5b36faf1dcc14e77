"""Readers of evidence that comes as files and uploads: pure, one module for each family, bounded in memory."""

from controller.evidence.formats.reading import Found, Reading, Stream
from controller.evidence.formats.registry import FORMATS, Format, detect, format_named, read

__all__ = ["FORMATS", "Format", "Found", "Reading", "Stream", "detect", "format_named", "read"]
