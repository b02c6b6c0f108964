"""The functions whose cold starts are compared, in a folder of their own as on Lambda."""
