"""Predictions of the dry run's memory and time beside what public logs report; see ``__main__``."""
