"""The service: many cameras, one store of events, and all who are told of them."""
