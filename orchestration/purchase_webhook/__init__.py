"""Shops report their orders."""
