"""The realtime session, by the hops of a spoken question.

`connection` reaches a session, `session` lives it, `turn` decides who speaks, `response` makes one answer, `face` moves the
head, `transport` queues what goes out.
"""
