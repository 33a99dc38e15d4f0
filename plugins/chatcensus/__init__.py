"""The census library: judge every conversation once, and publish what the judgements add up to."""
