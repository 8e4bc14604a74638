"""The avatar's words, judged by written rules: facts, sums, many turns, sense, things not known, repetition. `a2 evaluate language`."""
