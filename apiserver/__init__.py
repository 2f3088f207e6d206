"""The REST APIs: HTTP in, one call into cloud, HTTP out."""
