"""Figures and tables from traces and results."""
