"""The harness of the end-to-end tests; one module a kind of peer."""
