"""Parts of a Lambda on one machine. For development: no handler imports them."""
