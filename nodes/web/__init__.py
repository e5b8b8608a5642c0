"""The page's HTTP routes, and who may call them."""
