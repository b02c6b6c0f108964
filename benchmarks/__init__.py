"""The benchmark suite: this project, compiled and pure, beside mangum 0.22.0. See README.md."""
