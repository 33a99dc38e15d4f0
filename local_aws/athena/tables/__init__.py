"""Tables of Glue over objects in S3: their formats, partitions and statements."""
