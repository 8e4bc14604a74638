"""The realtime session, by the hops of a spoken question.

`connection` reaches a session, `session` lives it, `turn` decides whose turn it is, `response` makes one response, `face` moves the
head, `transport` queues what goes out.
"""
