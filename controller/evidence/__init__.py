"""What others saw: logs, sensors, captures and endpoint records, read into one shape and made into events.

Parsers know formats and no service; ``controller.evidence.model`` is what they give. What of it is a sign of
a service's use is decided behind them, from traits that are data.
"""
