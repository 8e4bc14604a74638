"""How many replicas, nodes and dollars so many sessions need: a calculator, and a simulation of the autoscaling policy over a day.

    PYTHONPATH=infra python -m capacity            # what `make capacity` does: docs/figures/capacity.json and the plots
    PYTHONPATH=infra python -m capacity --help

inputs: the numbers and where they come from · calculator: sessions -> slots -> replicas -> nodes -> cost · fleet: Ray's half and the nodes'
(delays, drain, start-up) around the product's own policy · day: the load · crowd: many cells at once, second by second · sessions: every
session by itself, against which crowd is tested · recommend: which numbers the chart should have · plots.
"""
