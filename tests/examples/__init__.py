"""The examples run, and their deployment files are what tools and services expect."""
