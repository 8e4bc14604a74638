"""Fourth hop: one response, from the request to the model to paced events on their way out."""
