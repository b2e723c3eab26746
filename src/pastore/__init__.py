"""pastore: the Windows IPsec Policy Agent (PAStore Engine) in the open."""

__version__ = "0.1.0"
