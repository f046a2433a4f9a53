"""The service's door to the world: REST, metrics, server-sent events and a web page. Needs the extra `service`."""
