"""The AWS services that stand before a function: requests to their events, and results to answers.

A module for each family; the request side stands above the response side. `mangum.local.sources`
is the table of them all.
"""
