"""The registries and what is kept in them."""
