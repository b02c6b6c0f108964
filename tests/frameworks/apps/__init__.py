"""One application per framework, all with the routes and answers that `common` describes."""
