"""What is sent to other servers: fan-out, one attempt, and the retry policy."""
