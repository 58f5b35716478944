"""The version of the package, read by ``setup.py`` too."""

version = "0.1.0.dev0"
