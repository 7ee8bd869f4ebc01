"""HAProxy that follows Consul by its DNS: an edge that tells what it does over its socket."""
