"""The chart as it is rendered, and every check of it; tests run them on each profile and `make mutate-chart` on broken charts."""
