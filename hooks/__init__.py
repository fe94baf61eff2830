"""How cookiecutter obeys copier.yml."""
