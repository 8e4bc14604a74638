"""What the avatar says, judged by written rules: facts, sums, many turns, sense, things not known, repetition. `a2 evaluate language`."""
