"""The documentation site: Markdown pages as they stand in this folder. `./dev docs` builds it."""

from pygments.lexers.special import TextLexer

project = "Milestone Automation"
copyright = "Milestone Automation contributors"
extensions = ["myst_parser"]
# Links to headings and pictures with a width work here as they do where the repository is read.
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
html_theme = "furo"
html_title = project
html_logo = "../milestone_automation/public/images/milestone_automation.svg"
html_favicon = html_logo
html_copy_source = False
html_show_sphinx = False


def setup(app):
	"""Hook of Sphinx: read diagrams as plain text."""
	# Diagrams are drawn where the repository is read; here their text is shown, without a script from elsewhere.
	app.add_lexer("mermaid", TextLexer)
