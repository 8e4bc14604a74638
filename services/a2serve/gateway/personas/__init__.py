"""Personas: those that inference ships with, and each tenant's own. Inference itself knows no tenant's."""
