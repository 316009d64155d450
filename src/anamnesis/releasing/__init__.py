"""Releasing a trained model: export, card, verdict, account and provenance in one folder that can be checked."""
