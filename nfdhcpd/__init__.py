"""nfdhcpd, on Ganeti nodes: answers DHCP, router and neighbour solicitations of guests, which NFQUEUE brings."""
