"""Pictures of heads: a software renderer, clips and figures. It decides nothing about how a face moves."""
