"""What a process did, step by step: written while it runs, read again at a desk."""
