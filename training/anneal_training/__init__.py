"""Programs that train and convert models on this machine; README.md beside this package says how they are called."""
