"""The HTTP side: views over finished documents."""
