"""Measurements that need minutes or data beyond the repository; each module says how to run it."""
