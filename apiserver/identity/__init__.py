"""The Identity API: v3, and v2.0's login for old clients. One domain, `Default`, holds everybody."""
