"""What a Ganeti node has to have for a cloud's guests, looked at one by one; nothing is changed or connected to."""
