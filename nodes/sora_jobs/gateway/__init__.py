"""The API of /v1/videos over HTTP, and every quirk of the services that offer it."""
