"""The commands of the command line that paint, each in a module of its own."""
