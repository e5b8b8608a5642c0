"""`sora verify`: what a provider really does, learned from the calls that cost nothing and from one cheap job."""
