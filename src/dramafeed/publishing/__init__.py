"""From the content folder to public editions, in one transaction."""
