"""Every figure this project quotes, each beside its peer or its limit in the same run."""
