"""What other servers send: received cheaply, processed by the worker."""
