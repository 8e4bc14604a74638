"""Everything on one machine: the supervisor behind `make up`, and where its parts send their traces. Never used in a cluster."""
