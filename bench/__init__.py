"""What others would write, measured beside our engine: same stand-in, same conversations, same quota, in one run."""
