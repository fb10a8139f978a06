"""Ways between this library and others, a module for each; another library is loaded when it is needed."""
