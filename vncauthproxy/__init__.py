"""vncauthproxy, on a console host: lets viewers to the consoles of guests, each by a secret of one use."""
