"""REST under /v1, one module per resource. They read the request and answer; what they do is in the parts."""
