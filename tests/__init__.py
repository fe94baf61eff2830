"""One file a promise; see CONTRIBUTING.md."""
