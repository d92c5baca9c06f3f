"""Keeps a merchant's copy of the Alibaba.com dropshipping catalogue true."""

__version__ = "0.1.0"
