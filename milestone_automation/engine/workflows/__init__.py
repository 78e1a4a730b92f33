"""The template: which workflow matches, and whether it is sound."""
