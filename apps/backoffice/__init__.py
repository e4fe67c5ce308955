"""The staff plane: the Django admin, its navigation, the workspace page and the queues."""
