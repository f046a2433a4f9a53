"""motionseg between cameras and somebody else's system: what ``motionseg serve`` is made of."""
