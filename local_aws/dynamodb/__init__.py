"""What DynamoDB is beyond moto: exports, history, items at rest, and rules."""
