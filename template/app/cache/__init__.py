"""Keep answers, so that they need not be made anew, and spare callers what they have already."""
