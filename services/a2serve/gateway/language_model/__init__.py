"""A persona's own language model: a chat endpoint whose words our model says."""
