"""Bedrock: Converse, its models, batch inference, and what goes wrong on command."""
