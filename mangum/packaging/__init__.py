"""Layers and function zips: what `mangum layer` and `mangum package` are made of.

For development, as the command line is: no handler imports it. It knows no command line.
"""
