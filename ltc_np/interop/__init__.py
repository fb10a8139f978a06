"""Ways between this library and others, a module for each; a module loads the other library when it is imported."""
