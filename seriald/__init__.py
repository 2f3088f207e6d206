"""seriald, on Ganeti nodes: keeps what guests print on their serial ports, and gives it to the API."""
