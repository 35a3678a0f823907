"""Moves a clinic that is at work from one home to another: copy, stream, cut over, verify, and a way back."""
