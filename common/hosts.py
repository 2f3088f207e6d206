"""Hosts, as URLs and addresses with ports have them."""

from __future__ import annotations


def bracketed(host: str) -> str:
    """Give a host as it stands before a colon and a port: an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host
