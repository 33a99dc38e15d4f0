"""One small program for each contender, each run in an environment of its own."""
