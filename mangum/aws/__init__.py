"""Calls of AWS services on the standard library: endpoints, credentials, signatures, HTTP. Knows no
events and no WebSockets."""
