"""What each model takes, makes and costs."""
